import { sleep } from '@micro/core/component'
import type { KafkaAdmin, KafkaSettings } from '@micro/kafka-broker'
import * as apis from './apis.ts'
import { createCluster } from './cluster.ts'
import { canPass, errors, isLost } from './errors.ts'

/** What is asked for: the end that those see who leave out open transactions. */
const latest = -1n
const readCommitted = 1

export function openAdmin(settings: KafkaSettings): KafkaAdmin {
  const cluster = createCluster(settings)
  const endsNow = async (topic: string): Promise<ReadonlyMap<number, number>> => {
    const found = new Map<number, number>()
    const partitions = await cluster.partitions(topic)
    const byLeader = Map.groupBy(partitions, ({ leader }) => leader)
    const asked = [...byLeader].map(async ([leader, own]) => {
      const { topics } = await cluster.node(leader, (connection) =>
        apis.listOffsets.api.async(connection, -1, readCommitted, [
          {
            name: topic,
            partitions: own.map(({ partitionId }) => ({
              partitionIndex: partitionId,
              currentLeaderEpoch: -1,
              timestamp: latest,
            })),
          },
        ]),
      )
      for (const one of topics.flatMap((answer) => answer.partitions)) {
        found.set(one.partitionIndex, Number(one.offset))
      }
    })
    await Promise.all(asked)
    return found
  }

  return {
    partitions: (topic) => cluster.partitions(topic),
    async createTopic(topic, { partitions = -1, replication = -1, config = {} }) {
      const configs = Object.entries(config).map(([name, value]) => ({ name, value }))
      const wanted = { numPartitions: partitions, replicationFactor: replication, configs }
      try {
        await cluster.controller((connection) =>
          apis.createTopics.api.async(
            connection,
            [{ name: topic, ...wanted, assignments: [] }],
            settings.requestTimeout,
            false,
          ),
        )
      } catch (error) {
        // Somebody else was faster.
        if (!errors.isOfType(error, 'TOPIC_ALREADY_EXISTS')) throw error
      }
    },
    async committed(groupId, topic) {
      const { groups } = await cluster.coordinator(groupId, (connection) =>
        apis.offsetFetch.api.async(connection, [{ groupId, memberEpoch: -1, topics: null }], false),
      )
      const partitions = groups
        .flatMap(({ topics }) => topics)
        .filter(({ name }) => name === topic)
        .flatMap((found) => found.partitions)
      return new Map(
        partitions
          .map((one) => [one.partitionIndex, Number(one.committedOffset)] as const)
          .filter(([, offset]) => offset >= 0),
      )
    },
    async ends(topic) {
      // Right after a topic was made, those that are to lead it may not know.
      for (const until = Date.now() + settings.requestTimeout; ; ) {
        try {
          return await endsNow(topic)
        } catch (error) {
          if (!canPass(error) || isLost(error) || Date.now() > until) throw error
          await sleep(20, { keepAlive: true })
        }
      }
    },
    async deleteGroup(groupId) {
      await cluster.coordinator(groupId, (connection) =>
        apis.deleteGroups.api.async(connection, [groupId]),
      )
    },
    async close() {
      cluster.close()
    },
  }
}
