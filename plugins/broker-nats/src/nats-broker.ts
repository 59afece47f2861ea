import {
  type Broker,
  type BrokerMessage,
  checkBatch,
  checkGroup,
  checkMessages,
  checkTopic,
} from '@micro/core/broker'
import { type AbortOptions, abortable, createLifecycle, type Health } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import { type Connection, createConnection } from './connection.ts'
import { createCorePublisher } from './core-publisher.ts'
import { openCoreSubscription } from './core-subscription.ts'
import { tooLarge } from './errors.ts'
import { createMeasures } from './measures.ts'
import { namesIn } from './names.ts'
import { type NatsBrokerOptions, settle } from './options.ts'
import { createPublisher } from './publisher.ts'
import { createStreams } from './streams.ts'
import { type NatsSubscription, openSubscription } from './subscription.ts'

const label = 'broker "nats"'

/**
 * Topics in NATS.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function natsBroker(options: NatsBrokerOptions = {}): Broker {
  const settings = settle(options)
  const { mode, ordered, timeout, maxMessageSize } = settings
  const isDurable = mode === 'jetstream'
  const names = namesIn(settings.namespace)
  const connection: Connection = createConnection(settings)
  const streams = createStreams(connection, settings, names)
  const measures = createMeasures(settings.meter)
  const publisher = isDurable
    ? createPublisher(connection, settings, names, streams)
    : createCorePublisher(connection, settings, names)
  const subscriptions = new Set<NatsSubscription>()

  const lifecycle = createLifecycle({
    label,
    open: () => connection.start(),
    async close() {
      await Promise.all([...subscriptions].map((subscription) => subscription.close()))
      measures.close()
      await connection.close()
    },
  })
  const use = async (useOptions: AbortOptions): Promise<void> => {
    await lifecycle.connect(useOptions)
    useOptions.signal?.throwIfAborted()
    // A close may have come in between.
    if (lifecycle.closed) throw closedError()
  }
  const checkSizes = (messages: readonly BrokerMessage[]): void => {
    const most = Math.min(maxMessageSize, connection.current?.info?.max_payload ?? maxMessageSize)
    for (const { body } of messages) if (body.length > most) throw tooLarge(body.length, most)
  }

  return {
    name: 'nats',
    contract: 'broker/0',
    supports: {
      durable: isDurable && settings.stream.storage === 'file',
      retained: isDurable,
      redelivery: isDurable,
      deliveryCount: isDurable,
      ordering: isDurable && ordered,
    },
    async connect(connectOptions = {}) {
      await use(connectOptions)
      const { signal } = connectOptions
      await abortable(connection.whenReady({ within: timeout, signal }), signal)
    },
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health(): Health {
      if (lifecycle.closed) return { status: 'down' }
      const problem = [connection, ...subscriptions].find((one) => one.problem)?.problem
      return problem === undefined
        ? { status: 'up' }
        : { status: 'degraded', detail: problem.detail }
    },

    async publish(topic, messages, publishOptions = {}) {
      checkTopic(topic)
      checkMessages(messages)
      await use(publishOptions)
      checkSizes(messages)
      if (messages.length === 0) return
      const { signal } = publishOptions
      const publishing = runInRoot(() => publisher.publish(topic, messages, signal))
      await abortable(publishing, signal)
    },

    async subscribe(topic, deliver, subscribeOptions = {}) {
      checkTopic(topic)
      checkGroup(subscribeOptions.group)
      checkBatch(subscribeOptions.batch)
      await use(subscribeOptions)
      const { signal } = subscribeOptions
      const context = {
        ...{ settings, names, connection, streams, measures },
        onClosed: (subscription: NatsSubscription) => void subscriptions.delete(subscription),
      }
      const open = runInRoot(async () => {
        const subscription = isDurable
          ? await openSubscription(context, topic, deliver, subscribeOptions)
          : await openCoreSubscription(context, topic, deliver, subscribeOptions)
        // Whoever asked for it has gone, or the broker has: nobody else would close it.
        if (signal?.aborted === true || lifecycle.closed) {
          await subscription.close()
          throw signal?.aborted === true ? signal.reason : closedError()
        }
        subscriptions.add(subscription)
        return subscription
      })
      return await abortable(open, signal)
    },
  }
}

function closedError(): MicroError {
  return new MicroError('failed_precondition', `${label} is closed`)
}
