import { join } from 'node:path'
import type { BareKafka, BareRecord, Subject } from '@micro/kafka-suite'
import { kafkaBroker } from '@micro/plugin-broker-kafka-platformatic'
import { Admin, Consumer, compatibilityPartitioner, Producer } from '@platformatic/kafka'

export const subject: Subject = {
  kafkaBroker,
  openBare,
  process: join(import.meta.dirname, 'process.ts'),
}

let groups = 0

async function openBare(brokers: readonly string[]): Promise<BareKafka> {
  const options = { clientId: 'bare', bootstrapBrokers: [...brokers], metadataMaxAge: 0 }
  const admin = new Admin(options)
  const producer = new Producer({ ...options, partitioner: compatibilityPartitioner })
  return {
    async read(topic, count) {
      groups += 1
      const consumer = new Consumer({ ...options, groupId: `bare-${groups}`, maxWaitTime: 20 })
      const stream = await consumer.consume({ topics: [topic], mode: 'earliest' })
      const found: BareRecord[] = []
      for await (const { key, value, headers, partition } of stream) {
        found.push({
          key: (key as Buffer | null)?.toString(),
          value: String(value),
          headers: Object.fromEntries([...headers].map(([name, text]) => [`${name}`, `${text}`])),
          partition,
        })
        if (found.length === count) break
      }
      await consumer.close(true)
      return found
    },
    publish: (topic, messages, compression) =>
      producer.send({
        acks: -1,
        messages: messages.map(({ key, value, headers = {} }) => ({
          topic,
          ...(key === undefined ? {} : { key: Buffer.from(key) }),
          value: (value === null ? null : Buffer.from(value)) as Buffer,
          headers: new Map(
            Object.entries(headers).flatMap(([name, texts]) =>
              [texts].flat().map((text) => [Buffer.from(name), Buffer.from(text)] as const),
            ),
          ),
        })),
        ...(compression === undefined ? {} : { compression }),
      }),
    async transact(topic, values, end) {
      const transactional = new Producer({ ...options, idempotent: true })
      const transaction = await transactional.beginTransaction()
      await transaction.send({
        messages: values.map((value) => ({ topic, value: Buffer.from(value) })),
      })
      await transaction[end]()
      await transactional.close()
    },
    deleteTopic: (topic) => admin.deleteTopics({ topics: [topic] }),
    truncate: (topic, offset) =>
      admin.deleteRecords({
        topics: [{ name: topic, partitions: [{ partition: 0, offset: BigInt(offset) }] }],
      }),
    createTopic: (topic, partitions) => admin.createTopics({ topics: [topic], partitions }),
    async countPartitions(topic) {
      const { topics } = await admin.metadata({ topics: [topic], forceUpdate: true })
      return topics.get(topic)?.partitionsCount ?? 0
    },
    addPartitions: (topic, count) =>
      admin.createPartitions({
        topics: [{ name: topic, count, assignments: null as never }],
        validateOnly: false,
      }),
    groups: async () => [...(await admin.listGroups({})).keys()],
    async close() {
      await producer.close()
      await admin.close()
    },
  }
}
