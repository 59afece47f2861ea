import { randomUUID } from 'node:crypto'
import type { BrokerSubscription, Deliver } from '@micro/core/broker'
import { abortable, backoff, sleep, unrefTimer } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { KafkaClient, KafkaMember } from './client.ts'
import { unavailable } from './errors.ts'
import { createLanes, type Lanes } from './lanes.ts'
import type { Metrics } from './metrics.ts'
import type { KafkaSettings } from './options.ts'
import type { Topics } from './topics.ts'
import { within } from './within.ts'

export interface SubscriptionOptions {
  readonly settings: KafkaSettings
  readonly client: KafkaClient
  readonly topics: Topics
  readonly metrics: Metrics
  /** As in Kafka. */
  readonly topic: string
  /** As in Kafka; without one, it gets one of its own that goes with it. */
  readonly groupId: string | undefined
  readonly deliver: Deliver
  readonly batch: number
  readonly onClosed: () => void
}

export interface KafkaSubscription extends BrokerSubscription {
  /** Resolves once messages published from now on will be delivered. */
  readonly opened: Promise<void>
  /** Why nothing is delivered now. */
  readonly problem: MicroError | undefined
}

/** What will not be better the next time. */
const final = new Set([
  'permission_denied',
  'unauthenticated',
  'invalid_argument',
  'failed_precondition',
  'not_found',
  'unimplemented',
])

/** Milliseconds to commit what has been settled, when there is no later. */
const lastCommit = 5_000

/** Keeps a consumer in the group, a new one for each that dies, until it is closed. */
export function openSubscription(options: SubscriptionOptions): KafkaSubscription {
  const { settings, client, topics, topic, metrics } = options
  const groupId = options.groupId ?? `micro-${randomUUID()}`
  const opened = Promise.withResolvers<void>()
  // Who subscribes hears of it; who only closes does not ask.
  opened.promise.catch(() => undefined)
  let member: KafkaMember | undefined
  let problem: MicroError | undefined
  let closing: Promise<void> | undefined
  let over = false
  let isOpen = false
  let commitTimer: ReturnType<typeof setTimeout> | undefined
  let committing = false
  let leftAt = Date.now()
  let ghost: string | undefined
  /** Where the topic ended when this began: what a new group starts from. */
  let ends: ReadonlyMap<number, number> | undefined
  const ending = new AbortController()

  const lanes: Lanes = createLanes({
    deliver: options.deliver,
    batch: options.batch,
    prefetch: settings.prefetch,
    hold: (partition, held) => member?.hold(partition, held),
    onSettled: () => scheduleCommit(settings.commitInterval),
  })
  const removeMetrics = metrics.add({ topic, groupId, lags: () => lanes.lags() })

  const commit = async (): Promise<void> => {
    const offsets = lanes.uncommitted()
    if (offsets.size === 0 || member?.joined !== true || committing) return
    committing = true
    try {
      await member.commit(offsets)
    } finally {
      committing = false
    }
    if (lanes.uncommitted().size > 0) scheduleCommit(settings.commitInterval)
  }
  const scheduleCommit = (wait: number): void => {
    commitTimer ??= unrefTimer(
      setTimeout(() => {
        commitTimer = undefined
        // It is tried again, or done by who joins next.
        commit().catch(() => scheduleCommit(500))
      }, wait),
    )
  }
  const startOffsets = async (
    partitions: readonly number[],
    commitFirst: (offsets: ReadonlyMap<number, number>) => Promise<void>,
  ): Promise<ReadonlyMap<number, number>> => {
    const all = (await topics.partitions(topic)).map(({ partitionId }) => partitionId)
    const committed = new Map(await topics.committed(groupId, topic))
    const isNew = committed.size === 0
    const missing = new Map(
      [...new Set([...all, ...partitions])]
        .filter((partition) => !committed.has(partition))
        .map((partition) => [
          partition,
          // A partition that was added later is read from its start.
          lanes.position(partition)?.settled ?? (isNew ? (ends?.get(partition) ?? 0) : 0),
        ]),
    )
    // So that the group has a place to start from, whatever happens to this member.
    if (missing.size > 0) await commitFirst(missing)
    return new Map(
      partitions.map((partition) => [
        partition,
        committed.get(partition) ?? missing.get(partition) ?? 0,
      ]),
    )
  }
  const live = async (): Promise<unknown> => {
    await topics.partitions(topic)
    ends ??= await topics.ends(topic)
    if (over) return undefined
    let left = false
    member = client.startMember({
      topic,
      groupId,
      lanes,
      ghost,
      startOffsets,
      onJoined() {
        if (left) metrics.rebalanced(topic, groupId)
        problem = undefined
        isOpen = true
        opened.resolve()
        lanes.suspended = false
        lanes.pump()
        if (lanes.uncommitted().size > 0) scheduleCommit(settings.commitInterval)
      },
      onLeft() {
        left = true
        leftAt = Date.now()
        lanes.suspended = true
      },
    })
    const why = await member.died
    // Only if it could not say goodbye itself does this matter.
    ghost = member.id ?? ghost
    await member.end()
    member = undefined
    return why
  }
  const run = async (): Promise<void> => {
    for (let attempt = 0; !over; attempt++) {
      const startedAt = Date.now()
      const why = await live().catch((error: unknown) => error)
      if (over) return
      problem = client.errors.toMicroError(why, `group ${groupId} of topic ${topic}`)
      topics.forget(topic)
      if (!isOpen && final.has(problem.code)) return opened.reject(problem)
      // One that had worked for long starts anew soon.
      if (Date.now() - startedAt > 60_000) attempt = 0
      metrics.restarted(topic, groupId)
      settings.logger?.log('warn', 'a consumer has died and is started anew', {
        'messaging.destination.name': topic,
        'messaging.consumer.group.name': groupId,
        error: problem,
      })
      const wait = backoff(attempt, { base: 200, max: 2_000 })
      await sleep(wait, { signal: ending.signal, keepAlive: true }).catch(() => undefined)
    }
  }
  const lagTimer = unrefTimer(
    setInterval(() => {
      if (member?.joined !== true) return
      const asked = member
      topics.ends(topic).then(
        (found) => {
          const isStuck = lanes.onEnds(found)
          if (isStuck && asked.joined) asked.die(unavailable('it no longer gets what is there'))
        },
        // There is a heartbeat to tell of that.
        () => undefined,
      )
    }, settings.lagInterval),
  )
  const running = run()
  const opening = setTimeout(() => {
    const why = problem?.detail ?? `group ${groupId} of topic ${topic}: Kafka does not answer`
    opened.reject(new MicroError('unavailable', why, { cause: problem }))
  }, settings.timeout)
  opened.promise.then(
    () => clearTimeout(opening),
    () => clearTimeout(opening),
  )

  /** A handler that has lost its partition for good settles nothing, so nobody waits for it. */
  const settled = async (): Promise<void> => {
    let isIdle = false
    const idle = lanes.idle().then(() => {
      isIdle = true
    })
    while (!isIdle && (member?.joined === true || Date.now() < leftAt + settings.sessionTimeout)) {
      await within(100, idle).catch(() => undefined)
    }
  }
  const commitLast = async (): Promise<void> => {
    for (const until = Date.now() + lastCommit; Date.now() < until; ) {
      // One that never was open has nothing; one that is changing hands may be able in a moment.
      if (lanes.uncommitted().size === 0) return
      await commit().catch(() => undefined)
      if (lanes.uncommitted().size > 0) await sleep(20, { keepAlive: true })
    }
  }
  const close = async (): Promise<void> => {
    lanes.paused = true
    opened.reject(new MicroError('failed_precondition', 'the subscription was closed'))
    await settled()
    await commitLast()
    over = true
    clearTimeout(commitTimer)
    clearInterval(lagTimer)
    ending.abort()
    member?.die(undefined)
    await running
    lanes.clear()
    removeMetrics()
    if (options.groupId === undefined) {
      // Kafka forgets it by itself otherwise, after days.
      await within(lastCommit, topics.deleteGroup(groupId)).catch(() => undefined)
    }
    options.onClosed()
  }

  const subscription: KafkaSubscription = {
    opened: opened.promise,
    get problem() {
      return problem
    },
    pause() {
      lanes.paused = true
    },
    resume() {
      if (closing !== undefined) return
      lanes.paused = false
      lanes.pump()
    },
    close(closeOptions) {
      closing ??= close()
      return abortable(closing, closeOptions?.signal)
    },
    [Symbol.asyncDispose]: () => subscription.close(),
  }
  return subscription
}
