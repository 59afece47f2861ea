import { sleep } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { KafkaAdmin, KafkaClient, Partition } from './client.ts'
import { unavailable } from './errors.ts'
import type { KafkaSettings } from './options.ts'

/** What is asked of the cluster beside producing and consuming. */
export interface Topics {
  /** The partitions of a topic, each with a leader. Creates the topic where that is wanted. */
  partitions(topic: string): Promise<readonly Partition[]>
  /** Has them asked for again. */
  forget(topic: string): void
  /** What a group has committed, by partition. */
  committed(groupId: string, topic: string): Promise<ReadonlyMap<number, number>>
  /** Where partitions end. */
  ends(topic: string): Promise<ReadonlyMap<number, number>>
  deleteGroup(groupId: string): Promise<void>
  close(): Promise<void>
}

/** Milliseconds after which partitions are asked for again: there may be more. */
const maxAge = 60_000

interface Known {
  readonly at: number
  readonly partitions: Promise<readonly Partition[]>
}

export function createTopics(settings: KafkaSettings, client: KafkaClient): Topics {
  const { toMicroError, isOfType } = client.errors
  const known = new Map<string, Known>()
  let current: Promise<KafkaAdmin> | undefined

  const drop = async (connection: typeof current): Promise<void> => {
    if (current === connection) current = undefined
    const admin = await connection?.catch(() => undefined)
    await admin?.close().catch(() => undefined)
  }
  /** A connection that has failed once is not used again: it may never find the way back. */
  const ask = async <T>(doing: string, work: (admin: KafkaAdmin) => Promise<T>): Promise<T> => {
    current ??= client.openAdmin()
    const connection = current
    try {
      return await work(await connection)
    } catch (error) {
      await drop(connection)
      throw toMicroError(error, doing)
    }
  }

  const fetch = async (topic: string): Promise<readonly Partition[]> => {
    const partitions = await ask(`topic ${topic}`, async (admin) => {
      try {
        return await admin.partitions(topic)
      } catch (error) {
        // An answer like any other. (Not to making one: kafkajs may then still ask for one that was deleted.)
        if (isOfType(error, 'UNKNOWN_TOPIC_OR_PARTITION'))
          return toMicroError(error, `topic ${topic}`)
        throw error
      }
    })
    if (MicroError.is(partitions)) throw partitions
    return partitions.toSorted((a, b) => a.partitionId - b.partitionId)
  }
  const create = async (topic: string): Promise<void> => {
    const { topics } = settings
    if (topics === false) return
    await ask(`creating topic ${topic}`, (admin) => admin.createTopic(topic, topics))
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
      ask(`offsets of group ${groupId}`, (admin) => admin.committed(groupId, topic)),
    ends: (topic) => ask(`offsets of topic ${topic}`, (admin) => admin.ends(topic)),
    deleteGroup: (groupId) => ask(`group ${groupId}`, (admin) => admin.deleteGroup(groupId)),
    close: () => drop(current),
  }
}
