import type { KafkaMessage, KafkaProducer, KafkaSettings } from '@micro/kafka-broker'
import { NumericMap } from '@platformatic/kafka'
import * as apis from './apis.ts'
import { createCluster } from './cluster.ts'
import { partsOf, protocolError } from './errors.ts'

/** Who this is for Kafka, so that it can tell what it has already. */
interface Identity {
  readonly producerId: bigint
  readonly producerEpoch: number
}

/** It has the batch already. */
const duplicate = 46
/** Kafka and this producer do not agree on what comes next, and never will. */
const spent = new Set([45, 47, 49, 59, 90])
/** Of batches: after the highest comes zero. */
const numbers = 0x7fff_ffff

export async function openProducer(settings: KafkaSettings): Promise<KafkaProducer> {
  const { requestTimeout } = settings
  const cluster = createCluster(settings)
  const acks = settings.acks === 'all' ? -1 : 1
  // That Kafka can tell of it before the request is given up.
  const timeout = Math.ceil(requestTimeout * 0.8)
  let identity: Identity | undefined
  if (settings.idempotence) {
    try {
      identity = await cluster.any((connection) =>
        apis.initProducerId.api.async(connection, null, requestTimeout),
      )
    } catch (error) {
      cluster.close()
      throw error
    }
  }
  /**
   * The number of the next message, by topic and partition. It goes up when Kafka has answered that it
   * has the messages, so that what is sent again has the numbers that it had.
   */
  const sequences = new NumericMap()
  let usable = true

  return {
    get usable() {
      return usable
    },
    async send(topic, leader, batches, onSent) {
      const records = batches.flatMap(([, messages]) =>
        messages.map((message) => toRecord(topic, message)),
      )
      const answer = await cluster.node(leader, (connection) =>
        partsOf(
          apis.produce.api.async(connection, acks, timeout, records, {
            compression: settings.compression,
            ...(identity === undefined ? {} : { ...identity, sequences }),
          }),
        ),
      )
      // With acks there always is one.
      const responses = typeof answer === 'boolean' ? [] : answer.responses
      const failures: Error[] = []
      const counts = new Map(batches.map(([partition, messages]) => [partition, messages.length]))
      for (const { index, errorCode, errorMessage } of responses.flatMap(
        ({ partitionResponses }) => partitionResponses,
      )) {
        if (errorCode !== 0 && errorCode !== duplicate) {
          if (spent.has(errorCode)) usable = false
          failures.push(protocolError(errorCode, errorMessage))
          continue
        }
        const name = `${topic}:${index}`
        const next = (sequences.get(name) ?? 0) + (counts.get(index) ?? 0)
        sequences.set(name, next & numbers)
        onSent(index)
      }
      const [failure] = failures
      if (failure !== undefined) throw failure
    },
    async close() {
      cluster.close()
    },
  }
}

function toRecord(topic: string, { key, value, headers, partition }: KafkaMessage) {
  const names = Object.keys(headers)
  return {
    ...(key === null ? {} : { key }),
    value,
    headers: new Map(names.map((name) => [Buffer.from(name), Buffer.from(headers[name] ?? '')])),
    topic,
    partition,
  }
}
