import { type Awaitable, abortable } from '../component/promises.ts'
import { backoff } from '../component/timing.ts'
import { Context, rootContext } from '../context/context.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { Broker, BrokerMessage, Delivery, Settlement } from './broker.ts'
import { isHeader, isKey } from './broker-rules.ts'
import type { ConsumerOptions } from './consume.ts'

/** How many counts of failed deliveries are kept, for backends that keep none. */
const countLimit = 10_000

const hopeless = new Set(['invalid_argument', 'permission_denied', 'unauthenticated'])

/** What becomes of deliveries that fail. */
export interface Failures {
  /** How often it has been delivered, this time included. */
  attemptOf(delivery: Delivery): number
  /** It is to be delivered again. */
  count(delivery: Delivery): void
  /** It is not. */
  forget(delivery: Delivery): void
  /** Again, until the limit. */
  settle(delivery: Delivery, error: unknown): Awaitable<Settlement>
  /** To the dead letters. */
  giveUp(delivery: Delivery, error: unknown): Promise<Settlement>
}

export function createFailures(options: ConsumerOptions): Failures {
  const { topic, broker, logger, deadLetters, maxDeliveries, maxRetryDelay } = options
  const counts = new Map<string, number>()

  const attemptOf = (delivery: Delivery): number =>
    delivery.attempt ?? (counts.get(delivery.id) ?? 0) + 1
  const fieldsOf = (delivery: Delivery, error: unknown) => ({
    topic: topic.name,
    'message.id': delivery.id,
    attempt: attemptOf(delivery),
    error,
  })
  const count = (delivery: Delivery): void => {
    if (delivery.attempt !== undefined) return
    const attempt = attemptOf(delivery)
    counts.delete(delivery.id)
    counts.set(delivery.id, attempt)
    const [oldest] = counts.keys()
    if (counts.size > countLimit && oldest !== undefined) counts.delete(oldest)
  }
  const forget = (delivery: Delivery): void => {
    counts.delete(delivery.id)
  }

  const giveUp = async (delivery: Delivery, error: unknown): Promise<Settlement> => {
    const fields = fieldsOf(delivery, error)
    logger.log('error', 'a message was given up', { ...fields, deadLetters })
    try {
      if (deadLetters !== false) {
        const letter = asDeadLetter(delivery, error, fields.attempt)
        await publishWithin(options.timeout, broker, deadLetters, letter)
      }
    } catch (failure) {
      // It is kept where it is rather than lost.
      logger.log('error', 'a dead letter could not be published', { ...fields, error: failure })
      count(delivery)
      return { retryAfter: maxRetryDelay }
    }
    forget(delivery)
    return deadLetters === false ? 'dead' : 'ack'
  }

  return {
    attemptOf,
    count,
    forget,
    giveUp,
    settle(delivery, error) {
      const attempt = attemptOf(delivery)
      if (isHopeless(error) || attempt >= maxDeliveries) return giveUp(delivery, error)
      logger.log(
        'warn',
        'a message was not handled; it is delivered again',
        fieldsOf(delivery, error),
      )
      count(delivery)
      const most = Math.min(maxRetryDelay, options.retryDelay * 2 ** (attempt - 1))
      return { retryAfter: most / 2 + backoff(0, { base: most / 2, max: most / 2 }) }
    },
  }
}

/** A message that is refused for what it is will be refused again. */
function isHopeless(error: unknown): boolean {
  return MicroError.is(error) && hopeless.has(error.code)
}

/** A backend that never answers would hold the lane, and the close that waits for it. */
async function publishWithin(
  timeout: number,
  broker: Broker,
  topic: string,
  message: BrokerMessage,
): Promise<void> {
  const context = new Context(rootContext, { timeout })
  try {
    const { signal } = context
    await abortable(broker.publish(topic, [message], { signal }), signal)
  } finally {
    context.finish()
  }
}

/** The message as it was, with the reason beside it. */
function asDeadLetter(delivery: Delivery, error: unknown, attempt: number): BrokerMessage {
  const { body, key, headers } = delivery
  const detail = MicroError.is(error) ? `${error.code}: ${error.detail}` : String(error)
  // Headers hold printable ASCII only, and not much of it.
  const reason = detail.replace(/[^\x20-\x7e]/g, '?').slice(0, 1_024)
  // Others may have published what a broker of ours refuses to; that must not hold the lane.
  const carried = Object.entries(headers).filter(([name, value]) => isHeader(name, value))
  return {
    body,
    key: isKey(key) ? key : undefined,
    headers: {
      ...Object.fromEntries(carried),
      'dead-letter-reason': reason,
      'dead-letter-attempts': String(attempt),
      'dead-letter-id': delivery.id,
    },
  }
}
