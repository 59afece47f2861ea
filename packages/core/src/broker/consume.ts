import type { Awaitable } from '../component/promises.ts'
import { handleInContext } from '../context/ambient.ts'
import { Context, rootContext } from '../context/context.ts'
import type { Logger } from '../logger/logger.ts'
import { extractTrace } from '../tracer/propagation.ts'
import type { Broker, Deliver, Delivery, Settlement } from './broker.ts'
import type { Envelopes } from './envelope.ts'
import { createFailures } from './failures.ts'
import { createLimiter } from './limiter.ts'
import type { Message, MessageMiddleware } from './messaging.ts'
import type { Topic } from './topic.ts'

export interface ConsumerOptions {
  readonly topic: Topic
  readonly broker: Broker
  readonly logger: Logger
  readonly envelopes: Envelopes
  readonly middleware: readonly MessageMiddleware[]
  readonly group: string | undefined
  /** One message, or in a batch all of them. */
  readonly handle: (messages: readonly Message<unknown>[], context: Context) => unknown
  readonly together: boolean
  readonly concurrency: number
  readonly maxDeliveries: number
  readonly retryDelay: number
  readonly maxRetryDelay: number
  readonly deadLetters: string | false
  readonly timeout: number
  readonly inbox: Inbox | undefined
}

/** Remembers what has been handled. */
export interface Inbox {
  has(id: string): Promise<boolean>
  add(id: string): Promise<void>
}

export interface Consumer {
  readonly deliver: Deliver
  /** Cancels what is being handled. */
  abort(reason: unknown): void
}

/** A delivery that a handler is to see, or how to settle one that none shall. */
type Opened =
  | { readonly message: Message<unknown> }
  | { readonly settle: () => Awaitable<Settlement> }

/** The pipeline of the handling side: decoding, de-duplication, handler, retry, dead letters. */
export function createConsumer(options: ConsumerOptions): Consumer {
  const { topic, logger, envelopes, inbox, together } = options
  const enter = createLimiter(options.concurrency)
  /** What all handlers run below. */
  const all = new Context(rootContext)
  const failures = createFailures(options)
  let aborted = false

  const run = async (messages: readonly Message<unknown>[]): Promise<Settlement> => {
    const context = new Context(all, { timeout: options.timeout })
    const [first] = messages
    if (first !== undefined) context.trace = extractTrace(first.headers)
    try {
      const result = await new Promise<unknown>((resolve, reject) => {
        context.onCancel(reject)
        const handled = handleInContext(context, () => passThrough(messages, context), undefined)
        Promise.resolve(handled).then(resolve, reject)
      })
      return isSettlement(result) ? result : 'ack'
    } finally {
      context.finish()
    }
  }
  /** The chain around the handler: for each message of a batch, the first outermost. */
  const passThrough = (messages: readonly Message<unknown>[], context: Context): unknown => {
    const { middleware } = options
    let own = context
    const step = (at: number): unknown => {
      const message = messages[Math.floor(at / middleware.length)]
      const one = middleware[at % middleware.length]
      if (message === undefined || one === undefined) return options.handle(messages, context)
      // What is set for one message of a batch is not for the others, nor for the handler of all.
      if (together && at % middleware.length === 0) own = new Context(context)
      const { topic: name, key, headers, value } = message
      const call = { side: 'consume' as const, topic: name, key, headers, context: own, value }
      return one(call, () => step(at + 1))
    }
    return middleware.length === 0 ? options.handle(messages, context) : step(0)
  }

  const open = async (delivery: Delivery): Promise<Opened> => {
    let message: Message<unknown>
    try {
      message = await envelopes.decode(topic, delivery, failures.attemptOf(delivery))
    } catch (error) {
      // The same bytes will not decode the next time either.
      return { settle: () => failures.giveUp(delivery, error) }
    }
    try {
      return (await inbox?.has(message.id)) === true ? { settle: () => 'ack' } : { message }
    } catch (error) {
      return { settle: () => failures.settle(delivery, error) }
    }
  }
  /** What the handler has said of a message, once that is remembered. */
  const close = (delivery: Delivery, settlement: Settlement): Awaitable<Settlement> => {
    if (settlement === 'dead') return failures.giveUp(delivery, 'the handler gave it up')
    if (settlement === 'ack') failures.forget(delivery)
    else failures.count(delivery)
    return settlement
  }
  const handle = async (messages: readonly Message<unknown>[]): Promise<Settlement> => {
    const settlement = await run(messages)
    // Between the handler's end and this, a crash delivers the message again: at least once it is.
    if (settlement === 'ack') await Promise.all(messages.map(({ id }) => inbox?.add(id)))
    return settlement
  }

  const deliverOne = async (delivery: Delivery): Promise<Settlement> => {
    const opened = await open(delivery)
    if ('settle' in opened) return opened.settle()
    try {
      return await close(delivery, await handle([opened.message]))
    } catch (error) {
      // A handler that was told to stop has not failed: its message is not given up for that.
      if (aborted) return { retryAfter: 0 }
      return failures.settle(delivery, error)
    }
  }
  const deliverEach = async (batch: readonly Delivery[]): Promise<Settlement[]> =>
    inOrder(batch, (delivery) => (aborted ? { retryAfter: 0 } : deliverOne(delivery)))
  const deliverTogether = async (batch: readonly Delivery[]): Promise<Settlement[]> => {
    const [first] = batch
    // What has failed before is not to take the others with it again.
    if (first === undefined || failures.attemptOf(first) > 1) return deliverEach(batch)
    const opened = await Promise.all(batch.map(open))
    const ids = new Set<string>()
    const messages: Message<unknown>[] = []
    for (const one of opened) {
      if (!('message' in one) || (inbox !== undefined && ids.has(one.message.id))) continue
      ids.add(one.message.id)
      messages.push(one.message)
    }
    try {
      const settlement = messages.length === 0 ? 'ack' : await handle(messages)
      return await inOrder(batch, (delivery, at) => {
        const one = opened[at]
        return one !== undefined && 'settle' in one ? one.settle() : close(delivery, settlement)
      })
    } catch (error) {
      logger.log('warn', 'a batch was not handled; its messages are handled one by one', {
        topic: topic.name,
        size: messages.length,
        error,
      })
      // It is not known which of them is at fault, so nothing is counted against any.
      return deliverEach(batch)
    }
  }

  return {
    deliver: (_lane, batch) =>
      enter(async () => {
        if (aborted) return []
        return together ? deliverTogether(batch) : deliverEach(batch)
      }),
    abort(reason) {
      aborted = true
      all.cancel(reason)
    },
  }
}

/** Settles one after the other, up to the first retry: what follows in the lane waits for it. */
async function inOrder(
  batch: readonly Delivery[],
  settle: (delivery: Delivery, at: number) => Awaitable<Settlement>,
): Promise<Settlement[]> {
  const settlements: Settlement[] = []
  for (const [at, delivery] of batch.entries()) {
    const settlement = await settle(delivery, at)
    settlements.push(settlement)
    if (typeof settlement === 'object') break
  }
  return settlements
}

function isSettlement(value: unknown): value is Settlement {
  if (value === 'ack' || value === 'dead') return true
  const wait = (value as { retryAfter?: unknown } | null | undefined)?.retryAfter
  return typeof wait === 'number' && wait >= 0
}
