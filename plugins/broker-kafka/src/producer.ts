import type { KafkaProducer, KafkaSettings } from '@micro/kafka-broker'
import { CompressionTypes } from 'kafkajs'
import type { Client } from './client.ts'

/** It numbers messages in a way that loses some if two requests for a partition overlap. */
export async function openProducer(
  client: Client,
  settings: KafkaSettings,
): Promise<KafkaProducer> {
  const compression =
    settings.compression === 'gzip' ? CompressionTypes.GZIP : CompressionTypes.None
  const acks = settings.acks === 'all' ? -1 : 1
  const producer = client.kafka.producer({
    allowAutoTopicCreation: false,
    idempotent: settings.idempotence,
    metadataMaxAge: 60_000,
    retry: { retries: 2, initialRetryTime: 50, maxRetryTime: 500 },
    // The partition was chosen once and for all, so that a message is not sent twice to two of them.
    createPartitioner:
      () =>
      ({ message }) =>
        message.partition ?? 0,
  })
  try {
    await producer.connect()
  } catch (error) {
    client.destroy()
    throw error
  }
  return {
    usable: true,
    async send(topic, _leader, batches, onSent) {
      const messages = batches.flatMap(([, ofPartition]) => ofPartition)
      const answer = await producer.sendBatch({
        acks,
        compression,
        timeout: settings.requestTimeout,
        topicMessages: [{ topic, messages }],
      })
      // kafkajs may leave out a partition that moves meanwhile.
      for (const { partition } of answer) onSent(partition)
    },
    async close() {
      await producer.disconnect().catch(() => undefined)
      client.destroy()
    },
  }
}
