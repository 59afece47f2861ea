import { backoff } from '../component/timing.ts'
import { handleInContext } from '../context/ambient.ts'
import { Context, rootContext } from '../context/context.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { Logger } from '../logger/logger.ts'
import { extractTrace } from '../tracer/propagation.ts'
import type { Broker, Deliver, Delivery, Settlement } from './broker.ts'
import type { Envelopes } from './envelope.ts'
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

/** How many counts of failed deliveries are kept, for backends that keep none. */
const countLimit = 10_000

/** The pipeline of the handling side: decoding, de-duplication, handler, retry, dead letters. */
export function createConsumer(options: ConsumerOptions): Consumer {
  const { topic, broker, logger, envelopes, inbox, maxDeliveries, together } = options
  const enter = createLimiter(options.concurrency)
  const running = new Set<Context>()
  const failures = new Map<string, number>()

  const attemptOf = (delivery: Delivery): number =>
    delivery.attempt ?? (failures.get(delivery.id) ?? 0) + 1

  /** What becomes of a delivery that failed. */
  const settleFailure = async (
    delivery: Delivery,
    error: unknown,
    hopeless: boolean,
  ): Promise<Settlement> => {
    const attempt = attemptOf(delivery)
    const fields = { topic: topic.name, 'message.id': delivery.id, attempt, error }
    if (!hopeless && attempt < maxDeliveries) {
      logger.log('warn', 'a message was not handled; it is delivered again', fields)
      count(failures, delivery.id, attempt)
      return { retryAfter: retryDelay(attempt) }
    }
    failures.delete(delivery.id)
    logger.log('error', 'a message was given up', { ...fields, deadLetters: options.deadLetters })
    if (options.deadLetters === false) return 'dead'
    try {
      await broker.publish(options.deadLetters, [asDeadLetter(delivery, error, attempt)])
      return 'ack'
    } catch (failure) {
      // It is kept where it is rather than lost.
      logger.log('error', 'a dead letter could not be published', { ...fields, error: failure })
      return { retryAfter: options.maxRetryDelay }
    }
  }
  const retryDelay = (attempt: number): number => {
    const base = options.retryDelay
    const most = Math.min(options.maxRetryDelay, base * 2 ** (attempt - 1))
    return most / 2 + backoff(0, { base: most / 2, max: most / 2 })
  }

  const run = async (messages: readonly Message<unknown>[]): Promise<Settlement> => {
    const context = new Context(rootContext, { timeout: options.timeout })
    const [first] = messages
    if (first !== undefined) context.trace = extractTrace(first.headers)
    running.add(context)
    try {
      const result = await new Promise<unknown>((resolve, reject) => {
        context.onCancel(reject)
        const handled = handleInContext(context, () => passThrough(messages, context), undefined)
        Promise.resolve(handled).then(resolve, reject)
      })
      return isSettlement(result) ? result : 'ack'
    } finally {
      running.delete(context)
      context.finish()
    }
  }
  /** The chain around the handler: for each message of a batch, the first outermost. */
  const passThrough = (messages: readonly Message<unknown>[], context: Context): unknown => {
    const { middleware } = options
    const step = (at: number): unknown => {
      const message = messages[Math.floor(at / middleware.length)]
      const one = middleware[at % middleware.length]
      if (message === undefined || one === undefined) return options.handle(messages, context)
      const { topic: name, key, headers, value } = message
      const call = { side: 'consume' as const, topic: name, key, headers, context, value }
      return one(call, () => step(at + 1))
    }
    return middleware.length === 0 ? options.handle(messages, context) : step(0)
  }

  /** Decodes; `undefined` for one that has been handled before, a settlement for one that cannot be. */
  const open = async (delivery: Delivery): Promise<Message<unknown> | Settlement> => {
    let message: Message<unknown>
    try {
      message = await envelopes.decode(topic, delivery, attemptOf(delivery))
    } catch (error) {
      // The same bytes will not decode the next time either.
      return settleFailure(delivery, error, true)
    }
    try {
      return (await inbox?.has(message.id)) === true ? 'ack' : message
    } catch (error) {
      return settleFailure(delivery, error, false)
    }
  }
  const finish = async (message: Message<unknown>, delivery: Delivery): Promise<void> => {
    failures.delete(delivery.id)
    // Between the handler's end and this, a crash delivers the message again: at least once it is.
    await inbox?.add(message.id)
  }

  const deliverOne = async (delivery: Delivery): Promise<Settlement> => {
    const message = await open(delivery)
    if (!isMessage(message)) return message
    try {
      const settlement = await run([message])
      if (settlement === 'ack') await finish(message, delivery)
      return settlement
    } catch (error) {
      return settleFailure(delivery, error, isHopeless(error))
    }
  }
  const deliverTogether = async (batch: readonly Delivery[]): Promise<Settlement[]> => {
    const opened = await Promise.all(batch.map(open))
    const messages = opened.filter(isMessage)
    const settleAll = (settlement: Settlement): Promise<Settlement[]> =>
      Promise.all(
        opened.map(async (one, at) => {
          if (!isMessage(one)) return one
          if (settlement === 'ack') await finish(one, batch[at] as Delivery)
          return settlement
        }),
      )
    if (messages.length === 0) return settleAll('ack')
    try {
      return await settleAll(await run(messages))
    } catch (error) {
      const [first] = batch
      // The second time one by one, so that the message at fault does not take the others with it.
      if (first !== undefined && attemptOf(first) > 1) return deliverEach(batch)
      return [await settleFailure(batch[0] as Delivery, error, false)]
    }
  }
  const deliverEach = async (batch: readonly Delivery[]): Promise<Settlement[]> => {
    const settlements: Settlement[] = []
    for (const delivery of batch) {
      const settlement = await deliverOne(delivery)
      settlements.push(settlement)
      // What follows in the lane waits for the retry, so that the order holds.
      if (typeof settlement === 'object') break
    }
    return settlements
  }

  return {
    deliver: (_lane, batch) =>
      enter(() => (together ? deliverTogether(batch) : deliverEach(batch))),
    abort(reason) {
      for (const context of [...running]) context.cancel(reason)
    },
  }
}

function isMessage(one: Message<unknown> | Settlement): one is Message<unknown> {
  return typeof one === 'object' && 'value' in one
}

function isSettlement(value: unknown): value is Settlement {
  if (value === 'ack' || value === 'dead') return true
  const wait = (value as { retryAfter?: unknown } | null | undefined)?.retryAfter
  return typeof wait === 'number' && wait >= 0
}

/** A message that is refused for what it is will be refused again. */
function isHopeless(error: unknown): boolean {
  return MicroError.is(error, 'invalid_argument') || MicroError.is(error, 'permission_denied')
}

function count(failures: Map<string, number>, id: string, attempt: number): void {
  failures.delete(id)
  failures.set(id, attempt)
  const [oldest] = failures.keys()
  if (failures.size > countLimit && oldest !== undefined) failures.delete(oldest)
}

/** The message as it was, with the reason beside it. */
function asDeadLetter(delivery: Delivery, error: unknown, attempt: number) {
  const detail = MicroError.is(error) ? `${error.code}: ${error.detail}` : String(error)
  // Headers hold printable ASCII only, and not much of it.
  const reason = detail.replace(/[^\x20-\x7e]/g, '?').slice(0, 1_024)
  return {
    body: delivery.body,
    key: delivery.key,
    headers: {
      ...delivery.headers,
      'dead-letter-reason': reason,
      'dead-letter-attempts': String(attempt),
      'dead-letter-id': delivery.id,
    },
  }
}
