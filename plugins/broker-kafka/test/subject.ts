import { join } from 'node:path'
import type { BareKafka, BareRecord, Subject } from '@micro/kafka-suite'
import { kafkaBroker } from '@micro/plugin-broker-kafka'
import { CompressionTypes, Kafka, logLevel } from 'kafkajs'

export const subject: Subject = {
  kafkaBroker,
  openBare,
  process: join(import.meta.dirname, 'process.ts'),
}

let groups = 0

async function openBare(brokers: readonly string[]): Promise<BareKafka> {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  const producer = kafka.producer({ createPartitioner: undefined as never })
  await producer.connect()
  return {
    async read(topic, count) {
      groups += 1
      const consumer = kafka.consumer({ groupId: `bare-${groups}`, maxWaitTimeInMs: 20 })
      await consumer.connect()
      await consumer.subscribe({ topics: [topic], fromBeginning: true })
      const found: BareRecord[] = []
      const all = Promise.withResolvers<void>()
      await consumer.run({
        eachMessage: async ({ message: { key, value, headers }, partition }) => {
          const texts = Object.entries(headers ?? {}).map(([name, text]) => [name, String(text)])
          found.push({
            key: key?.toString(),
            value: String(value),
            headers: Object.fromEntries(texts) as Record<string, string>,
            partition,
          })
          if (found.length === count) all.resolve()
        },
      })
      await all.promise
      await consumer.disconnect()
      return found
    },
    publish: (topic, messages, compression) =>
      producer.send({
        topic,
        messages: messages.map((message) => ({ ...message, headers: { ...message.headers } })),
        ...(compression === undefined ? {} : { compression: CompressionTypes.GZIP }),
      }),
    async transact(topic, values, end) {
      const transactional = kafka.producer({
        transactionalId: 'bare',
        maxInFlightRequests: 1,
        idempotent: true,
        createPartitioner: undefined as never,
      })
      await transactional.connect()
      const transaction = await transactional.transaction()
      await transaction.send({ topic, messages: values.map((value) => ({ value })) })
      await transaction[end]()
      await transactional.disconnect()
    },
    deleteTopic: (topic) => admin.deleteTopics({ topics: [topic] }),
    async truncate(topic, offset) {
      // kafkajs wants to have asked.
      await admin.fetchTopicMetadata({ topics: [topic] })
      await admin.deleteTopicRecords({
        topic,
        partitions: [{ partition: 0, offset: String(offset) }],
      })
    },
    createTopic: (topic, partitions) =>
      admin.createTopics({ topics: [{ topic, numPartitions: partitions }] }),
    async countPartitions(topic) {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      return topics[0]?.partitions.length ?? 0
    },
    addPartitions: (topic, count) =>
      admin.createPartitions({ topicPartitions: [{ topic, count }] }),
    groups: async () => (await admin.listGroups()).groups.map(({ groupId }) => groupId),
    async close() {
      await producer.disconnect()
      await admin.disconnect()
    },
  }
}
