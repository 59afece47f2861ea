import type { KafkaAdmin, KafkaSettings } from '@micro/kafka-broker'
import type { Client } from './client.ts'

export async function openAdmin(
  client: Client,
  { requestTimeout }: KafkaSettings,
): Promise<KafkaAdmin> {
  const admin = client.kafka.admin({ retry: { retries: 2 } })
  try {
    await admin.connect()
  } catch (error) {
    client.destroy()
    throw error
  }
  return {
    async partitions(topic) {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      return topics.find(({ name }) => name === topic)?.partitions ?? []
    },
    async createTopic(topic, { partitions = -1, replication = -1, config = {} }) {
      const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
      // Somebody else may have been faster; kafkajs says so by `false`.
      await admin.createTopics({
        topics: [
          { topic, numPartitions: partitions, replicationFactor: replication, configEntries },
        ],
        waitForLeaders: false,
        timeout: requestTimeout,
      })
    },
    async committed(groupId, topic) {
      const [found] = await admin.fetchOffsets({ groupId, topics: [topic] })
      const entries = (found?.partitions ?? []).map(
        ({ partition, offset }) => [partition, Number(offset)] as const,
      )
      return new Map(entries.filter(([, offset]) => offset >= 0))
    },
    async ends(topic) {
      const found = await admin.fetchTopicOffsets(topic)
      return new Map(found.map(({ partition, high }) => [partition, Number(high)]))
    },
    async deleteGroup(groupId) {
      await admin.deleteGroups([groupId])
    },
    async close() {
      await admin.disconnect().catch(() => undefined)
      client.destroy()
    },
  }
}
