import { abortable, backoff, sleep } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { Message } from 'kafkajs'
import { toMicroError, unavailable } from './errors.ts'
import type { Settings } from './options.ts'
import { choosePartition } from './partition-choice.ts'
import { type Borrowed, createProducers } from './producers.ts'
import type { Topics } from './topics.ts'

export interface Publisher {
  publish(topic: string, messages: readonly Message[], signal?: AbortSignal): Promise<void>
  /** Why the last batch was not sent, if it was not. */
  readonly problem: MicroError | undefined
  close(): Promise<void>
}

/** Messages of one caller, or some of them. */
interface Entry {
  readonly messages: readonly Message[]
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

/** kafkajs puts a batch together in time that grows with its square. */
const maxCount = 1_000

/**
 * Sends what has come for a topic while the batch before was under way, as one batch: in order, one at
 * a time, since kafkajs numbers messages in a way that loses some if two requests overlap.
 */
export function createPublisher(settings: Settings, topics: Topics): Publisher {
  const producers = createProducers(settings)
  const queues = new Map<string, Queue>()
  let queued = 0
  let problem: MicroError | undefined
  let closed = false

  /** By leader, each in a request of its own: kafkajs may leave out a partition that moves meanwhile. */
  const sendOnce = async (
    topic: string,
    borrowed: Borrowed,
    pending: Map<number, Message[]>,
  ): Promise<void> => {
    const partitions = await topics.partitions(topic)
    const leaders = new Map(partitions.map(({ partitionId, leader }) => [partitionId, leader]))
    const byLeader = Map.groupBy(pending, ([partition]) => leaders.get(partition))
    const results = await Promise.allSettled(
      [...byLeader.values()].map(async (group) => {
        const messages = group.flatMap(([, ofPartition]) => ofPartition)
        const answer = await producers.send(borrowed, { topic, messages })
        for (const { partition } of answer) pending.delete(partition)
      }),
    )
    for (const result of results) if (result.status === 'rejected') throw result.reason
    if (pending.size > 0)
      throw unavailable(`topic ${topic}: a broker did not answer for a partition`)
  }
  const send = async (topic: string, entries: readonly Entry[]): Promise<void> => {
    const until = Date.now() + settings.timeout
    let pending: Map<number, Message[]> | undefined
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
          // One that never was there: there is nothing that it could have sent.
          if (!(await isOpen(borrowed))) {
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
      if (at > 0 && (bytes > settings.maxMessageSize || count > maxCount)) break
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
      const entries = split(messages, settings.maxMessageSize)
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
function canPass({ code }: MicroError, settings: Settings): boolean {
  return code === 'unavailable' || (code === 'not_found' && settings.topics !== false)
}

async function isOpen({ opened }: Borrowed): Promise<boolean> {
  return opened.then(
    () => true,
    () => false,
  )
}

/** Chooses for each message its partition, for good. */
function assign(
  partitions: Parameters<typeof choosePartition>[0],
  entries: readonly Entry[],
): Map<number, Message[]> {
  const pending = new Map<number, Message[]>()
  for (const { messages } of entries) {
    for (const message of messages) {
      const partition = choosePartition(partitions, message)
      message.partition = partition
      const others = pending.get(partition)
      if (others === undefined) pending.set(partition, [message])
      else others.push(message)
    }
  }
  return pending
}

/** In parts that each fit into a batch. */
function split(messages: readonly Message[], most: number): Entry[] {
  const entries: Entry[] = []
  let part: Message[] = []
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
    if (bytes + size > most || part.length === maxCount) cut()
    part.push(message)
    bytes += size
  }
  cut()
  return entries
}

function sizeOf({ key, value, headers }: Message): number {
  let size = 64 + (value?.length ?? 0) + (key?.length ?? 0)
  for (const [name, text] of Object.entries(headers ?? {}))
    size += name.length + (text?.length ?? 0)
  return size
}
