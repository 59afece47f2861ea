import { type Broker, checkBatch, checkGroup, checkTopic } from '@micro/core/broker'
import { type AbortOptions, abortable, createLifecycle, type Health } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import { makeClient } from './client.ts'
import { type Connection, createConnection } from './connection.ts'
import { createMeasures, type Measures } from './measures.ts'
import { type RedisBrokerOptions, type Settings, settle } from './options.ts'
import { createPublisher, type Publisher } from './publisher.ts'
import { openSubscription, type RedisSubscription } from './subscription.ts'
import { createWakes, type Wakes } from './wakes.ts'

const label = 'broker "redis"'

/** What a broker has once it is used. */
interface Running {
  readonly commands: Connection
  readonly calls: Connection
  readonly wakes: Wakes
  readonly publisher: Publisher
  readonly measures: Measures
}

/**
 * Topics in Redis Streams.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function redisBroker(options: RedisBrokerOptions = {}): Broker {
  const settings = settle(options)
  const subscriptions = new Set<RedisSubscription>()
  let running: Running | undefined

  const lifecycle = createLifecycle({
    label,
    open() {
      running = start(settings)
    },
    async close() {
      await Promise.all([...subscriptions].map((subscription) => subscription.close()))
      running?.publisher.close(closedError())
      running?.measures.close()
      running?.calls.close()
      running?.commands.close()
    },
  })
  const use = async (useOptions: AbortOptions | undefined): Promise<Running> => {
    await lifecycle.connect(useOptions)
    useOptions?.signal?.throwIfAborted()
    // A close may have come in between.
    if (running === undefined || lifecycle.closed) throw closedError()
    return running
  }

  return {
    name: 'redis',
    contract: 'broker/0',
    supports: {
      durable: true,
      retained: true,
      redelivery: true,
      deliveryCount: true,
      ordering: true,
    },
    async connect(connectOptions) {
      const { commands, calls } = await use(connectOptions)
      const { signal } = connectOptions ?? {}
      for (const connection of [commands, calls]) {
        await abortable(connection.whenReady({ within: settings.timeout, signal }), signal)
      }
    },
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health(): Health {
      if (lifecycle.closed) return { status: 'down' }
      const problems = [running?.commands, running?.calls, ...subscriptions]
      const problem = problems.find((one) => one?.problem !== undefined)?.problem
      return problem === undefined
        ? { status: 'up' }
        : { status: 'degraded', detail: problem.detail }
    },

    async publish(topic, messages, publishOptions = {}) {
      checkTopic(topic)
      const { publisher } = await use(publishOptions)
      await publisher.publish(topic, messages, publishOptions)
    },

    async subscribe(topic, deliver, subscribeOptions = {}) {
      checkTopic(topic)
      checkGroup(subscribeOptions.group)
      checkBatch(subscribeOptions.batch)
      const { commands, wakes, measures } = await use(subscribeOptions)
      const { signal } = subscribeOptions
      const opening = runInRoot(() =>
        openSubscription(
          {
            ...{ settings, connection: commands, wakes, measures },
            onClosed: (subscription) => void subscriptions.delete(subscription),
          },
          topic,
          deliver,
          subscribeOptions,
        ),
      )
      const open = opening.then(async (subscription) => {
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

function start(settings: Settings): Running {
  const { client, timeout, meter } = settings
  const first = client ?? makeClient(settings)
  const commands = createConnection(first, { timeout, owned: client === undefined })
  // Commands are not taken on a connection that listens.
  const calls = createConnection(first.duplicate(), { timeout, owned: true })
  const wakes = createWakes(calls)
  commands.start()
  calls.start()
  return {
    commands,
    calls,
    wakes,
    publisher: createPublisher(commands, settings),
    measures: createMeasures(meter),
  }
}

function closedError(): MicroError {
  return new MicroError('failed_precondition', `${label} is closed`)
}
