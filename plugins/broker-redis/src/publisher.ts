import { randomUUID } from 'node:crypto'
import { type BrokerMessage, checkMessages } from '@micro/core/broker'
import type { AbortOptions } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import type { MicroError } from '@micro/core/errors'
import type { Argument, Connection } from './connection.ts'
import { toFields } from './entries.ts'
import { fromRedis, otherPartitions, tooLarge, topicFull } from './errors.ts'
import { keysOf, type TopicKeys } from './keys.ts'
import type { Settings } from './options.ts'
import { partitionOf } from './partition.ts'
import { publishScript, trimScript } from './publish-scripts.ts'

/** What one request to Redis carries at most. More would keep others waiting there. */
const batchMessages = 1_000
const batchBytes = 4 * 2 ** 20

export interface Publisher {
  publish(topic: string, messages: readonly BrokerMessage[], options: AbortOptions): Promise<void>
  /** Publishes nothing more. */
  close(reason: MicroError): void
}

/** Messages of one call that go together. */
interface Call {
  readonly partitions: readonly number[]
  readonly fields: readonly (readonly (string | Buffer)[])[]
  readonly bytes: number
  readonly deadline: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
  settled: boolean
}

interface Queue {
  readonly keys: TopicKeys
  readonly topic: string
  readonly publisher: string
  waiting: Call[]
  number: number
  sending: boolean
}

/**
 * One request at a time for each topic: what is published meanwhile goes with the next. So order is
 * kept through outages, and a batch whose answer was lost is recognised when it is sent again.
 */
export function createPublisher(connection: Connection, settings: Settings): Publisher {
  const { namespace, partitions, maxLength, maxMessageSize, timeout } = settings
  const queues = new Map<string, Queue>()
  const id = randomUUID()
  let closed: MicroError | undefined
  let next = 0

  const queueOf = (topic: string): Queue => {
    const known = queues.get(topic)
    if (known !== undefined) return known
    const keys = keysOf(namespace, topic, partitions)
    const rest = { waiting: [], number: 0, sending: false }
    const queue: Queue = { keys, topic, publisher: keys.publisher(id), ...rest }
    queues.set(topic, queue)
    return queue
  }
  const enqueue = (queue: Queue, messages: readonly BrokerMessage[], signal?: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const call: Call = {
        partitions: messages.map(({ key }) =>
          key === undefined ? next++ % partitions : partitionOf(key, partitions),
        ),
        fields: messages.map(toFields),
        bytes: messages.reduce((sum, { body }) => sum + body.length, 0),
        deadline: performance.now() + timeout,
        settled: false,
        resolve() {
          call.settled = true
          signal?.removeEventListener('abort', onAbort)
          resolve()
        },
        reject(error) {
          call.settled = true
          signal?.removeEventListener('abort', onAbort)
          reject(error)
        },
      }
      // What waits is not sent any more; what is under way goes on without its caller.
      const onAbort = (): void => call.reject(signal?.reason)
      signal?.addEventListener('abort', onAbort, { once: true })
      queue.waiting.push(call)
      if (!queue.sending) {
        queue.sending = true
        // What is published in the same turn goes together.
        queueMicrotask(() => void runInRoot(() => drain(queue)))
      }
    })

  const drain = async (queue: Queue): Promise<void> => {
    for (;;) {
      const calls = takeBatch(queue)
      if (calls.length === 0) break
      try {
        await send(queue, calls)
      } catch (error) {
        for (const call of calls) if (!call.settled) call.reject(closed ?? fromRedis(error))
      }
    }
    queue.sending = false
  }
  const send = async (queue: Queue, calls: readonly Call[]): Promise<void> => {
    queue.number += 1
    const answers = await attempt(queue, calls, queue.number)
    const refused = calls.filter((_, at) => answers[at] !== 0)
    for (const [at, call] of calls.entries()) if (answers[at] === 0) call.resolve()
    if (refused.length === 0) return
    // There may be room, once what all have settled has been removed.
    const wanted = Math.max(...refused.map(({ fields }) => fields.length))
    const full = await trim(queue.keys, Math.min(wanted, maxLength))
    queue.number += 1
    const again = await attempt(queue, refused, queue.number)
    for (const [at, call] of refused.entries()) {
      if (again[at] === 0) call.resolve()
      else call.reject(refusal(queue, (again[at] ?? 0) - 3, full))
    }
  }
  const attempt = async (
    queue: Queue,
    calls: readonly Call[],
    number: number,
  ): Promise<readonly number[]> => {
    const used = [...new Set(calls.flatMap((call) => call.partitions))]
    const indexes = new Map(used.map((partition, at) => [partition, at + 3]))
    const { keys } = queue
    const args: Argument[] = [partitions, number, maxLength, calls.length]
    for (const call of calls) {
      args.push(call.fields.length)
      for (const [at, fields] of call.fields.entries()) {
        args.push(indexes.get(call.partitions[at] ?? 0) ?? 0, fields.length, ...fields)
      }
    }
    const names = [keys.topic, queue.publisher, ...used.map((one) => keys.streams[one] ?? '')]
    const within = Math.max(1, ...calls.map(({ deadline }) => deadline - performance.now()))
    const answer = (await connection.run(publishScript, names, args, { within })) as unknown[]
    if (answer[0] instanceof Buffer) {
      throw otherPartitions(queue.topic, String(answer[1]), partitions)
    }
    return (answer as number[]).map((one) => (one === 0 ? 0 : (used[one - 3] ?? 0) + 3))
  }
  const trim = async (keys: TopicKeys, wanted: number): Promise<ReadonlyMap<string, string>> => {
    const names = [keys.passing, ...keys.streams]
    const answer = await connection.run(trimScript, names, [maxLength, wanted], {
      within: timeout,
    })
    const texts = (answer as Buffer[]).map(String)
    return new Map(texts.flatMap((text, at) => (at % 2 === 0 ? [[text, texts[at + 1] ?? '']] : [])))
  }
  const refusal = (queue: Queue, partition: number, full: ReadonlyMap<string, string>) => {
    const slowest = full.get(queue.keys.streams[partition] ?? '')
    return topicFull(queue.topic, partition, maxLength, slowest)
  }

  return {
    async publish(topic, messages, { signal }) {
      checkMessages(messages)
      for (const { body } of messages) {
        if (body.length > maxMessageSize) throw tooLarge(body.length, maxMessageSize)
      }
      const queue = queueOf(topic)
      await Promise.all(chunksOf(messages).map((chunk) => enqueue(queue, chunk, signal)))
    },
    close(reason) {
      closed = reason
      for (const { waiting } of queues.values()) {
        for (const call of waiting.splice(0)) if (!call.settled) call.reject(reason)
      }
    },
  }
}

function takeBatch(queue: Queue): Call[] {
  // Those that have been given up meanwhile are not sent.
  queue.waiting = queue.waiting.filter(({ settled }) => !settled)
  const calls: Call[] = []
  let messages = 0
  let bytes = 0
  for (const call of queue.waiting) {
    if (calls.length > 0 && messages + call.fields.length > batchMessages) break
    if (calls.length > 0 && bytes + call.bytes > batchBytes) break
    messages += call.fields.length
    bytes += call.bytes
    calls.push(call)
  }
  queue.waiting.splice(0, calls.length)
  return calls
}

function chunksOf(messages: readonly BrokerMessage[]): (readonly BrokerMessage[])[] {
  if (messages.length === 0) return []
  const chunks: BrokerMessage[][] = [[]]
  let bytes = 0
  for (const message of messages) {
    const last = chunks.at(-1)
    bytes += message.body.length
    if (last === undefined || last.length === batchMessages || bytes > batchBytes) {
      chunks.push([message])
      bytes = message.body.length
    } else {
      last.push(message)
    }
  }
  return chunks.filter((chunk) => chunk.length > 0)
}
