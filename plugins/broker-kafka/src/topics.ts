import { sleep } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { Admin } from 'kafkajs'
import { type Client, createClient } from './client.ts'
import { isOfType, toMicroError, unavailable } from './errors.ts'
import type { Settings } from './options.ts'

export interface Partition {
  readonly partitionId: number
  readonly leader: number
}

interface Offsets {
  readonly low: number
  readonly high: number
}

/** What is asked of the cluster beside producing and consuming. */
export interface Topics {
  /** The partitions of a topic, each with a leader. Creates the topic where that is wanted. */
  partitions(topic: string): Promise<readonly Partition[]>
  /** Has them asked for again. */
  forget(topic: string): void
  /** What a group has committed, by partition. */
  committed(groupId: string, topic: string): Promise<ReadonlyMap<number, number>>
  offsets(topic: string): Promise<ReadonlyMap<number, Offsets>>
  deleteGroup(groupId: string): Promise<void>
  close(): Promise<void>
}

/** Milliseconds after which partitions are asked for again: there may be more. */
const maxAge = 60_000

interface Known {
  readonly at: number
  readonly partitions: Promise<readonly Partition[]>
}

export function createTopics(settings: Settings): Topics {
  const known = new Map<string, Known>()
  let current: Promise<{ client: Client; admin: Admin }> | undefined

  const open = async (): Promise<{ client: Client; admin: Admin }> => {
    const client = createClient(settings)
    const admin = client.kafka.admin({ retry: { retries: 2 } })
    try {
      await admin.connect()
      return { client, admin }
    } catch (error) {
      client.destroy()
      throw error
    }
  }
  const drop = async (connection: typeof current): Promise<void> => {
    if (current === connection) current = undefined
    const opened = await connection?.catch(() => undefined)
    await opened?.admin.disconnect().catch(() => undefined)
    opened?.client.destroy()
  }
  /** A connection that has failed once is not used again: kafkajs may never find the way back. */
  const ask = async <T>(doing: string, work: (admin: Admin) => Promise<T>): Promise<T> => {
    current ??= open()
    const connection = current
    try {
      const { admin } = await connection
      return await work(admin)
    } catch (error) {
      if (!isOfType(error, 'UNKNOWN_TOPIC_OR_PARTITION')) await drop(connection)
      throw toMicroError(error, doing)
    }
  }

  const fetch = (topic: string): Promise<readonly Partition[]> =>
    ask(`topic ${topic}`, async (admin) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      const partitions = topics.find(({ name }) => name === topic)?.partitions ?? []
      return partitions.toSorted((a, b) => a.partitionId - b.partitionId)
    })
  const create = async (topic: string): Promise<void> => {
    const { topics } = settings
    if (topics === false) return
    const { partitions = -1, replication = -1, config = {} } = topics
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
    await ask(`creating topic ${topic}`, (admin) =>
      // Somebody else may have been faster; kafkajs says so by `false`.
      admin.createTopics({
        topics: [
          { topic, numPartitions: partitions, replicationFactor: replication, configEntries },
        ],
        waitForLeaders: false,
        timeout: settings.requestTimeout,
      }),
    )
  }
  const find = async (topic: string): Promise<readonly Partition[]> => {
    let created = false
    for (const until = Date.now() + settings.requestTimeout; ; ) {
      try {
        const partitions = await fetch(topic)
        const led = partitions.every(({ leader }) => leader >= 0)
        if (partitions.length > 0 && led) return partitions
      } catch (error) {
        const isMissing = MicroError.is(error, 'not_found')
        if (!isMissing && !isOfType(error, 'LEADER_NOT_AVAILABLE')) throw error
        if (isMissing && settings.topics === false) throw error
        // Once, since brokers hear of a new topic one after the other.
        if (isMissing && !created) await create(topic)
        created = true
      }
      if (Date.now() > until) throw unavailable(`topic ${topic}: its partitions have no leader`)
      await sleep(20, { keepAlive: true })
    }
  }

  return {
    partitions(topic) {
      const found = known.get(topic)
      if (found !== undefined && Date.now() - found.at < maxAge) return found.partitions
      const partitions = find(topic)
      known.set(topic, { at: Date.now(), partitions })
      partitions.catch(() => {
        if (known.get(topic)?.partitions === partitions) known.delete(topic)
      })
      return partitions
    },
    forget(topic) {
      known.delete(topic)
    },
    committed: (groupId, topic) =>
      ask(`offsets of group ${groupId}`, async (admin) => {
        const [found] = await admin.fetchOffsets({ groupId, topics: [topic] })
        const entries = (found?.partitions ?? []).map(({ partition, offset }) => [
          partition,
          Number(offset),
        ])
        return new Map((entries as [number, number][]).filter(([, offset]) => offset >= 0))
      }),
    offsets: (topic) =>
      ask(`offsets of topic ${topic}`, async (admin) => {
        const found = await admin.fetchTopicOffsets(topic)
        return new Map(
          found.map(({ partition, low, high }) => [
            partition,
            { low: Number(low), high: Number(high) },
          ]),
        )
      }),
    deleteGroup: (groupId) =>
      ask(`group ${groupId}`, async (admin) => {
        await admin.deleteGroups([groupId])
      }),
    close: () => drop(current),
  }
}
