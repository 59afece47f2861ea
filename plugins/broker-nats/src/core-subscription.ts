import type { BrokerSubscribeOptions, Deliver } from '@micro/core/broker'
import { abortable } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node'
import { fromNats } from './errors.ts'
import { toDelivery } from './messages.ts'
import type { NatsSubscription, SubscriptionContext } from './subscription.ts'

interface CoreLane {
  readonly name: string
  readonly queue: Msg[]
  running: Promise<void> | undefined
}

/** Over core NATS: whoever is there gets it, once, and what fails has failed. */
export async function openCoreSubscription(
  context: Omit<SubscriptionContext, 'streams'>,
  topic: string,
  deliver: Deliver,
  { group, batch = 1, signal }: BrokerSubscribeOptions,
): Promise<NatsSubscription> {
  const { settings, names, connection, measures } = context
  const source = { topic, group }
  const lanes = new Map<string, CoreLane>()
  let held = 0
  let dropped = 0
  let paused = false
  let closing: Promise<void> | undefined
  let current: { nats: NatsConnection; sub: Subscription } | undefined

  const receive = (error: Error | null, message: Msg): void => {
    if (error !== null || closing !== undefined) return
    if (held >= settings.maxQueued) {
      dropped += 1
      measures.dropped(source)
      return
    }
    const name = message.subject.slice(message.subject.lastIndexOf('.') + 1)
    const lane = lanes.get(name) ?? { name, queue: [], running: undefined }
    lanes.set(name, lane)
    lane.queue.push(message)
    held += 1
    pump(lane)
  }
  const pump = (lane: CoreLane): void => {
    if (lane.running !== undefined || paused || closing !== undefined) return
    lane.running = runInRoot(() => drain(lane)).finally(() => {
      lane.running = undefined
      if (lane.queue.length > 0) pump(lane)
    })
  }
  const drain = async (lane: CoreLane): Promise<void> => {
    // Never within the client's own turn.
    await null
    while (lane.queue.length > 0 && !paused && closing === undefined) {
      const taken = lane.queue.splice(0, batch)
      held -= taken.length
      try {
        await deliver(
          lane.name,
          taken.map((message) => toDelivery(message, undefined)),
        )
      } catch {
        // Core's never throws; and there is nothing that could be delivered again.
      }
    }
  }
  /** Connections that are made again subscribe again by themselves; another one does not. */
  const join = (nats: NatsConnection): void => {
    if (closing !== undefined || (current?.nats === nats && !current.sub.isClosed())) return
    const sub = nats.subscribe(names.subjects(topic), {
      callback: receive,
      ...(group === undefined ? {} : { queue: group }),
    })
    current = { nats, sub }
  }
  const removeListener = connection.onReady(join)
  const end = async (): Promise<void> => {
    removeListener()
    const { nats, sub } = current ?? {}
    if (sub?.isClosed() === false && nats?.isClosed() === false) sub.unsubscribe()
    await Promise.all([...lanes.values()].map(({ running }) => running))
    measures.gone(source)
  }

  const subscription: NatsSubscription = {
    get problem() {
      if (dropped === 0) return undefined
      return new MicroError('resource_exhausted', `topic ${topic}: ${dropped} messages had no room`)
    },
    pause() {
      paused = true
    },
    resume() {
      if (closing !== undefined) return
      paused = false
      for (const lane of lanes.values()) pump(lane)
    },
    close(closeOptions) {
      closing ??= end().finally(() => context.onClosed(subscription))
      return abortable(closing, closeOptions?.signal)
    },
    [Symbol.asyncDispose]: () => subscription.close(),
  }
  try {
    const nats = await connection.whenReady({ within: settings.timeout, signal })
    join(nats)
    // The server has it, once it has answered.
    await connection.whileUp(nats.flush())
  } catch (error) {
    await end()
    throw fromNats(error)
  }
  return subscription
}
