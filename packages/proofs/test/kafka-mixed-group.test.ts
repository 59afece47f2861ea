import type { Delivery } from '@micro/core/broker'
import { kafkaBroker } from '@micro/plugin-broker-kafka'
import { kafkaBroker as kafkaBrokerPlatformatic } from '@micro/plugin-broker-kafka-platformatic'
import { kafkaHome, startKafka } from '@micro/test-services'
import { describe, expect, test } from 'vitest'

const home = kafkaHome()
const makers = [kafkaBroker, kafkaBrokerPlatformatic]
const rounds = 60
const keys = Array.from({ length: 10 }, (_, at) => String(at))

describe.skipIf(home === undefined)('a real Kafka', () => {
  test('members of one group may be of both plugins: all messages, once, in order', async () => {
    const kafka = await startKafka(home ?? '')
    const brokers = [0, 1, 0, 1].map((kind) =>
      makers[kind]?.({
        brokers: kafka.brokers,
        topics: { partitions: 6 },
        sessionTimeout: 3_000,
        heartbeatInterval: 50,
        maxWait: 20,
        commitInterval: 20,
      }),
    )
    const handled: { text: string; by: number }[] = []
    const join = (at: number) =>
      brokers[at]?.subscribe(
        'mixed',
        async (_lane: string, batch: readonly Delivery[]) => {
          await new Promise((resolve) => setTimeout(resolve, 2))
          for (const { body } of batch) handled.push({ text: Buffer.from(body).toString(), by: at })
          return batch.map(() => 'ack' as const)
        },
        { group: 'g' },
      )
    try {
      const first = await join(0)
      const publishing = (async () => {
        for (let at = 0; at < rounds; at++) {
          // By both in turn: one key is in one partition, whoever publishes.
          await brokers[at % 2]?.publish(
            'mixed',
            keys.map((key) => ({ body: Buffer.from(`${key}:${at}`), key, headers: {} })),
          )
        }
      })()
      const second = await join(1)
      await join(2)
      // The leader goes, and one of the other kind has to spread the partitions.
      await first?.close()
      await join(3)
      await second?.close()
      await publishing
      const total = rounds * keys.length
      while (handled.length < total) await new Promise((resolve) => setTimeout(resolve, 20))
      expect(handled).toHaveLength(total)
      for (const key of keys) {
        const own = handled.map(({ text }) => text).filter((text) => text.startsWith(`${key}:`))
        expect(own).toEqual(Array.from({ length: rounds }, (_, at) => `${key}:${at}`))
      }
      expect(new Set(handled.map(({ by }) => by % 2)).size).toBe(2)
    } finally {
      for (const broker of brokers) await broker?.close()
      await kafka.stop()
    }
  })
})
