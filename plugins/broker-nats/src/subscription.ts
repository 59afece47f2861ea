import { randomUUID } from 'node:crypto'
import type { BrokerSubscribeOptions, BrokerSubscription, Deliver } from '@micro/core/broker'
import { abortable, backoff, sleep, unrefTimer } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import type { MicroError } from '@micro/core/errors'
import type { NatsConnection } from '@nats-io/transport-node'
import type { Connection } from './connection.ts'
import { fromNats } from './errors.ts'
import { type Lane, openLane } from './lane.ts'
import type { Measures } from './measures.ts'
import { consumerName, type Names } from './names.ts'
import type { Settings } from './options.ts'
import type { ConsumerPlan, Streams } from './streams.ts'

export interface SubscriptionContext {
  readonly settings: Settings
  readonly names: Names
  readonly connection: Connection
  readonly streams: Streams
  readonly measures: Measures
  readonly onClosed: (subscription: NatsSubscription) => void
}

export interface NatsSubscription extends BrokerSubscription {
  readonly problem: MicroError | undefined
}

interface Reader {
  readonly lane: Lane
  readonly plan: ConsumerPlan
  /** Up to where the consumer had all settled when it was last looked at. */
  floor: number
  checking: boolean
}

/** Milliseconds for which the consumers of one subscription outlive its last sign of life. */
const passingLife = 60_000
/** Between two attempts while NATS is there and JetStream is not. */
const shortPause = 50
const lagInterval = 10_000
/** Messages that are under way to all subscriptions of a group that keeps no order. */
const unorderedPending = 100_000

/** Opens a subscription: makes the consumers of its group, and asks them for messages. */
export async function openSubscription(
  context: SubscriptionContext,
  topic: string,
  deliver: Deliver,
  { group: named, batch = 1, signal }: BrokerSubscribeOptions,
): Promise<NatsSubscription> {
  const { settings, names, connection, streams, measures } = context
  const { lanes, ordered, prefetch, ackWait, timeout, domain } = settings
  // No group that is given can be named like this.
  const group = named ?? `passing=${randomUUID()}`
  const inactive = named === undefined ? Math.max(passingLife, 6 * ackWait) : undefined
  const source = { topic, group: named }
  const ended = new AbortController()
  let paused = false
  let closing: Promise<void> | undefined
  let problem: MicroError | undefined
  let lastSeen = performance.now()
  let streamCreated: string | undefined

  const isAlive = (): boolean => {
    if (connection.current !== undefined) lastSeen = performance.now()
    return performance.now() - lastSeen < ackWait
  }
  const readers = Array.from({ length: lanes }, (_, at): Reader => {
    const plan: ConsumerPlan = ordered
      ? {
          name: consumerName(group, at),
          filter: names.subject(topic, at),
          maxAckPending: 1,
          inactive,
        }
      : {
          name: consumerName(group, undefined),
          filter: names.subjects(topic),
          maxAckPending: unorderedPending,
          inactive,
        }
    const lane = openLane({
      ...{ name: String(at), deliver, ackWait, isAlive },
      batch: ordered ? 1 : batch,
      most: ordered ? 1 : Math.max(prefetch, batch),
      onDoubt: () => void check(reader),
    })
    const reader: Reader = { lane, plan, floor: 0, checking: false }
    return reader
  })
  const prefix = domain === undefined ? '$JS.API' : `$JS.${domain}.API`
  const attach = (nats: NatsConnection, { lane, plan }: Reader): void => {
    if (paused || closing !== undefined) return
    lane.attach(nats, `${prefix}.CONSUMER.MSG.NEXT.${names.stream(topic)}.${plan.name}`)
  }
  /** Positions are of one stream, and mean nothing in another of the same name. */
  const noteStream = (created: string): void => {
    if (streamCreated !== undefined && streamCreated !== created) {
      for (const reader of readers) {
        reader.floor = 0
        reader.lane.restart()
      }
    }
    streamCreated = created
  }
  /** Where it goes on, should the consumer have to be made anew: rather some again than one lost. */
  const positionOf = ({ lane, floor }: Reader): number =>
    ordered ? Math.max(floor, lane.settled) : floor

  /** Finds, or makes, what is read from, for as long as it takes; then asks for messages. */
  const check = async (reader: Reader): Promise<void> => {
    if (reader.checking) return
    reader.checking = true
    try {
      for (let attempt = 0; !ended.signal.aborted; attempt++) {
        const nats = connection.current
        // Once there is a connection again, all are looked at anyhow.
        if (nats === undefined) return
        try {
          noteStream(await streams.ensure(nats, topic))
          const info = await streams.consumer(nats, topic, reader.plan, positionOf(reader))
          reader.floor = info.ack_floor.stream_seq
          problem = undefined
          return attach(nats, reader)
        } catch (error) {
          problem = fromNats(error)
          const wait = backoff(attempt, { base: 50, max: 2_000 }) + 20
          await sleep(wait, { signal: ended.signal }).catch(() => undefined)
        }
      }
    } finally {
      reader.checking = false
    }
  }
  const checkAll = (): void => {
    for (const reader of readers) void runInRoot(() => check(reader))
  }
  const measure = async (): Promise<void> => {
    const nats = connection.current
    if (nats === undefined) return
    try {
      const plans = ordered ? readers : readers.slice(0, 1)
      const infos = await Promise.all(plans.map(({ plan }) => streams.info(nats, topic, plan.name)))
      measures.lag(
        source,
        infos.map((info) => info.num_pending + info.num_ack_pending),
      )
    } catch {
      // As it was; what is wrong is found by who reads.
    }
  }

  /** Once all consumers are there, whatever is published from then on is delivered. */
  const openOnce = async (nats: NatsConnection): Promise<void> => {
    noteStream(await streams.ensure(nats, topic))
    const made = ordered ? readers : readers.slice(0, 1)
    const infos = await Promise.all(made.map(({ plan }) => streams.consumer(nats, topic, plan)))
    for (const [at, reader] of readers.entries()) {
      reader.floor = (infos[at] ?? infos[0])?.ack_floor.stream_seq ?? 0
      attach(nats, reader)
    }
  }
  const open = async (): Promise<void> => {
    const deadline = performance.now() + timeout
    for (;;) {
      const nats = await connection.whenReady({ within: deadline - performance.now(), signal })
      try {
        return await openOnce(nats)
      } catch (error) {
        const translated = fromNats(error)
        if (translated.code !== 'unavailable' || performance.now() >= deadline) throw translated
        await sleep(shortPause)
      }
    }
  }
  let removeListener: (() => void) | undefined
  const lagTimer = measures.wanted
    ? unrefTimer(setInterval(() => void runInRoot(measure), Math.min(lagInterval, ackWait)))
    : undefined
  const end = async (): Promise<void> => {
    removeListener?.()
    ended.abort()
    clearInterval(lagTimer)
    await Promise.all(readers.map(({ lane }) => lane.close()))
    measures.gone(source)
    const nats = connection.current
    if (nats === undefined) return
    const flushed = nats.flush().catch(() => undefined)
    // So that what has been settled has been, by the time that this is closed.
    await Promise.race([flushed, sleep(timeout)])
    if (named !== undefined) return
    const plans = ordered ? readers : readers.slice(0, 1)
    await Promise.allSettled(plans.map(({ plan }) => streams.remove(nats, topic, plan.name)))
  }

  const subscription: NatsSubscription = {
    get problem() {
      return problem
    },
    pause() {
      if (closing !== undefined || paused) return
      paused = true
      for (const { lane } of readers) void lane.detach()
    },
    resume() {
      if (closing !== undefined || !paused) return
      paused = false
      checkAll()
    },
    close(closeOptions) {
      closing ??= runInRoot(async () => {
        await end()
        context.onClosed(subscription)
      })
      return abortable(closing, closeOptions?.signal)
    },
    [Symbol.asyncDispose]: () => subscription.close(),
  }
  try {
    await open()
    removeListener = connection.onReady(checkAll)
  } catch (error) {
    await end()
    throw fromNats(error)
  }
  return subscription
}
