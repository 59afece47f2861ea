import { abortable, backoff, sleep } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { KafkaClient, KafkaMessage, Partition } from './client.ts'
import { unavailable } from './errors.ts'
import type { KafkaSettings } from './options.ts'
import { choosePartition } from './partition-choice.ts'
import { type Borrowed, createProducers } from './producers.ts'
import type { Topics } from './topics.ts'

export interface Publisher {
  publish(topic: string, messages: readonly KafkaMessage[], signal?: AbortSignal): Promise<void>
  /** Why the last batch was not sent, if it was not. */
  readonly problem: MicroError | undefined
  close(): Promise<void>
}

/** Messages of one caller, or some of them. */
interface Entry {
  readonly messages: readonly KafkaMessage[]
  readonly bytes: number
  /** Nobody waits for it any longer. */
  abandoned: boolean
  readonly sent: PromiseWithResolvers<void>
}

interface Queue {
  readonly topic: string
  entries: Entry[]
  running: Promise<void> | undefined
}

/**
 * Sends what has come for a topic while the batch before was under way, as one batch: in order, one at
 * a time, so that what is sent again is never overtaken.
 */
export function createPublisher(
  settings: KafkaSettings,
  client: KafkaClient,
  topics: Topics,
): Publisher {
  const { maxBatch } = client
  const { toMicroError } = client.errors
  const producers = createProducers(() => client.openProducer())
  const queues = new Map<string, Queue>()
  let queued = 0
  let problem: MicroError | undefined
  let closed = false

  /** By leader, each in a request of its own. */
  const sendOnce = async (
    topic: string,
    borrowed: Borrowed,
    pending: Map<number, KafkaMessage[]>,
  ): Promise<void> => {
    const partitions = await topics.partitions(topic)
    const leaders = new Map(partitions.map(({ partitionId, leader }) => [partitionId, leader]))
    const byLeader = Map.groupBy(pending, ([partition]) => leaders.get(partition))
    const results = await Promise.allSettled(
      [...byLeader].map(async ([leader = -1, batches]) => {
        const producer = await borrowed.opened
        await producer.send(topic, leader, batches, (partition) => pending.delete(partition))
      }),
    )
    for (const result of results) if (result.status === 'rejected') throw result.reason
    if (pending.size > 0)
      throw unavailable(`topic ${topic}: a broker did not answer for a partition`)
  }
  const send = async (topic: string, entries: readonly Entry[]): Promise<void> => {
    const until = Date.now() + settings.timeout
    let pending: Map<number, KafkaMessage[]> | undefined
    let borrowed = producers.borrow()
    try {
      for (let attempt = 0; ; attempt++) {
        try {
          pending ??= assign(await topics.partitions(topic), entries)
          await sendOnce(topic, borrowed, pending)
          problem = undefined
          return
        } catch (error) {
          const wrong = toMicroError(error, `publishing to ${topic}`)
          const wait = backoff(attempt, { base: 100, max: 1_000 })
          const isOver =
            closed || Date.now() + wait > until || entries.every(({ abandoned }) => abandoned)
          if (isOver || !canPass(wrong, settings)) throw wrong
          problem = wrong
          topics.forget(topic)
          if (!(await isUsable(borrowed))) {
            producers.retire(borrowed)
            producers.giveBack(borrowed)
            borrowed = producers.borrow()
          }
          await sleep(wait, { keepAlive: true })
        }
      }
    } catch (error) {
      producers.retire(borrowed)
      throw error
    } finally {
      producers.giveBack(borrowed)
    }
  }
  const sendEntries = async (topic: string, entries: readonly Entry[]): Promise<void> => {
    try {
      await send(topic, entries)
      for (const { sent } of entries) sent.resolve()
    } catch (error) {
      // Together they may be too large for a topic that takes each.
      if (entries.length > 1 && MicroError.is(error, 'resource_exhausted')) {
        for (const entry of entries) await sendEntries(topic, [entry])
        return
      }
      problem = error as MicroError
      for (const { sent } of entries) sent.reject(error)
    }
  }
  const run = async (queue: Queue): Promise<void> => {
    // What is published in the same turn goes together.
    await null
    for (let batch = take(queue); batch.length > 0; batch = take(queue)) {
      const waiting = batch.filter(({ abandoned }) => !abandoned)
      if (waiting.length > 0) await sendEntries(queue.topic, waiting)
      for (const { messages } of batch) queued -= messages.length
    }
    queue.running = undefined
    queues.delete(queue.topic)
  }
  const take = (queue: Queue): Entry[] => {
    let bytes = 0
    let count = 0
    let at = 0
    for (const entry of queue.entries) {
      bytes += entry.bytes
      count += entry.messages.length
      if (at > 0 && (bytes > settings.maxMessageSize || count > maxBatch)) break
      at += 1
    }
    return queue.entries.splice(0, at)
  }

  return {
    get problem() {
      return problem
    },
    async publish(topic, messages, signal) {
      if (messages.length === 0) return
      if (queued + messages.length > settings.maxQueued) {
        throw new MicroError(
          'resource_exhausted',
          `${queued} messages wait to be sent, of at most ${settings.maxQueued} (option maxQueued)`,
        )
      }
      queued += messages.length
      const entries = split(messages, settings.maxMessageSize, maxBatch)
      const queue = queues.get(topic) ?? { topic, entries: [], running: undefined }
      queues.set(topic, queue)
      queue.entries.push(...entries)
      queue.running ??= run(queue)
      const sent = Promise.all(entries.map((entry) => entry.sent.promise)).then(() => undefined)
      const abandon = (): void => {
        for (const entry of entries) entry.abandoned = true
      }
      signal?.addEventListener('abort', abandon, { once: true })
      try {
        await abortable(sent, signal)
      } finally {
        signal?.removeEventListener('abort', abandon)
      }
    },
    async close() {
      closed = true
      await Promise.all([...queues.values()].map(({ running }) => running))
      await producers.close()
    },
  }
}

/** Might go well another time; a topic that is missing may be new. */
function canPass({ code }: MicroError, settings: KafkaSettings): boolean {
  return code === 'unavailable' || (code === 'not_found' && settings.topics !== false)
}

/** One that never was there is not: there is nothing that it could have sent. */
async function isUsable({ opened }: Borrowed): Promise<boolean> {
  return opened.then(
    ({ usable }) => usable,
    () => false,
  )
}

/** Chooses for each message its partition, for good. */
function assign(
  partitions: readonly Partition[],
  entries: readonly Entry[],
): Map<number, KafkaMessage[]> {
  const pending = new Map<number, KafkaMessage[]>()
  for (const { messages } of entries) {
    for (const message of messages) {
      const partition = choosePartition(partitions, message.key)
      message.partition = partition
      const others = pending.get(partition)
      if (others === undefined) pending.set(partition, [message])
      else others.push(message)
    }
  }
  return pending
}

/** In parts that each fit into a batch. */
function split(messages: readonly KafkaMessage[], most: number, maxBatch: number): Entry[] {
  const entries: Entry[] = []
  let part: KafkaMessage[] = []
  let bytes = 0
  const cut = (): void => {
    if (part.length === 0) return
    const sent = Promise.withResolvers<void>()
    // Who publishes hears of it by the first that fails.
    sent.promise.catch(() => undefined)
    entries.push({ messages: part, bytes, abandoned: false, sent })
    part = []
    bytes = 0
  }
  for (const message of messages) {
    const size = sizeOf(message)
    if (bytes + size > most || part.length === maxBatch) cut()
    part.push(message)
    bytes += size
  }
  cut()
  return entries
}

function sizeOf({ key, value, headers }: KafkaMessage): number {
  let size = 64 + value.length + (key?.length ?? 0)
  for (const [name, text] of Object.entries(headers)) size += name.length + text.length
  return size
}
