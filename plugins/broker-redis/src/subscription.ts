import { randomUUID } from 'node:crypto'
import type { BrokerSubscribeOptions, BrokerSubscription, Deliver } from '@micro/core/broker'
import { abortable, jitter, unrefTimer } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import type { MicroError } from '@micro/core/errors'
import type { Connection } from './connection.ts'
import { fromRedis, otherPartitions } from './errors.ts'
import { leaveScript, openScript, renewScript } from './group-scripts.ts'
import { keysOf } from './keys.ts'
import { openLane } from './lane.ts'
import type { Lane } from './lane-options.ts'
import { isSameTurn } from './lane-token.ts'
import type { Measures } from './measures.ts'
import type { Settings } from './options.ts'
import { trimScript } from './publish-scripts.ts'
import type { Wakes } from './wakes.ts'

/** Milliseconds for which a group of one subscription outlives its last sign of life, in ttls. */
const passingTtls = 6

export interface SubscriptionContext {
  readonly settings: Settings
  readonly connection: Connection
  readonly wakes: Wakes
  readonly measures: Measures
  readonly onClosed: (subscription: RedisSubscription) => void
}

export interface RedisSubscription extends BrokerSubscription {
  readonly problem: MicroError | undefined
}

/** Opens a subscription: makes its group, and takes a share of the partitions. */
export async function openSubscription(
  context: SubscriptionContext,
  topic: string,
  deliver: Deliver,
  { group: named, batch = 1, signal }: BrokerSubscribeOptions,
): Promise<RedisSubscription> {
  const { settings, connection, wakes, measures } = context
  const { partitions, leaseTtl, timeout, prefetch, maxLength } = settings
  const member = randomUUID()
  // No group that is given can be named like this.
  const group = named ?? `:passing:${member}`
  const passing = named === undefined ? Math.max(60_000, passingTtls * leaseTtl) : 0
  const keys = keysOf(settings.namespace, topic, partitions)
  const source = { topic, group: named }
  const groupKeys = keys.group(group)
  const lanes = new Map<number, Lane>()
  const ended = new Map<number, Promise<void>>()
  const releasing = new Map<number, Promise<void>>()
  const names = [groupKeys.members, groupKeys.paused, groupKeys.lanes, keys.passing]
  let paused = false
  let aliveUntil = 0
  let closing: Promise<void> | undefined
  let problem: MicroError | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let renewing: Promise<void> | undefined
  let again = false
  let handled = 0

  /** It is to have no share: paused, or about to go. */
  const isResting = (): boolean => paused || closing !== undefined
  const isAlive = (): boolean => performance.now() < aliveUntil

  const renew = async (): Promise<void> => {
    const asked = performance.now()
    const args = [
      ...[member, leaseTtl, partitions, isResting() ? 1 : 0, groupKeys.changes, group, passing],
      measures.wanted ? 1 : 0,
    ]
    const answer = (await connection.run(renewScript, [...names, ...keys.streams], args, {
      within: Math.max(timeout, leaseTtl),
    })) as [number, [Buffer, Buffer, number | undefined][]]
    const [share, owned] = answer
    aliveUntil = asked + leaseTtl * 0.9
    if (measures.wanted) {
      measures.lag(source, new Map(owned.map(([at, , lag]) => [Number(String(at)), lag ?? 0])))
    }
    const mine = new Map(owned.map(([at, token]) => [Number(String(at)), String(token)]))
    for (const lane of lanes.values()) {
      if (isSameTurn(mine.get(lane.partition), lane.token)) lane.wake()
      else lost(lane)
    }
    if (closing === undefined) {
      await Promise.all([...mine].map(([partition, token]) => take(partition, token)))
      const active = [...lanes.values()].filter(({ partition }) => !releasing.has(partition))
      for (const lane of active.slice(share)) void giveUp(lane)
    }
    if (handled > 0) await trim()
  }
  const take = async (partition: number, token: string): Promise<void> => {
    if (lanes.has(partition)) return
    const lane = openLane({
      after: ended.get(partition),
      tokenInDoubt: ended.has(partition),
      ...{ connection, partition, token, group, deliver, batch, prefetch, timeout, isAlive },
      keys: [keys.topic, groupKeys.lanes, keys.streams[partition] ?? ''],
      changes: groupKeys.changes,
      isPaused: isResting,
      onDelivered(count) {
        handled += count
      },
      onLost: () => lost(lane),
    })
    lanes.set(partition, lane)
    ended.set(partition, lane.ended)
    // Its first request may come before this is heard, so it is woken once more.
    await wakes.listen(keys.wakes[partition] ?? '', lane.wake)
    lane.wake()
  }
  const lost = (lane: Lane): void => {
    if (lanes.get(lane.partition) === lane && !releasing.has(lane.partition)) {
      measures.lost(source)
    }
    drop(lane)
  }
  const drop = (lane: Lane): void => {
    if (lanes.get(lane.partition) !== lane) return
    lanes.delete(lane.partition)
    wakes.ignore(keys.wakes[lane.partition] ?? '', lane.wake)
    lane.lose()
  }
  const giveUp = (lane: Lane): Promise<void> => {
    const known = releasing.get(lane.partition)
    if (known !== undefined) return known
    const released = (async () => {
      await lane.release()
      releasing.delete(lane.partition)
      drop(lane)
    })()
    releasing.set(lane.partition, released)
    return released
  }
  const trim = async (): Promise<void> => {
    handled = 0
    const options = { within: timeout }
    await connection.run(trimScript, [keys.passing, ...keys.streams], [maxLength, 0], options)
  }

  /** Renews now, and then at intervals. One at a time; who asks meanwhile gets one more. */
  const renewNow = (): Promise<void> => {
    again = true
    renewing ??= runInRoot(renewLoop).finally(() => {
      renewing = undefined
    })
    return renewing
  }
  const renewLoop = async (): Promise<void> => {
    clearTimeout(timer)
    try {
      while (again && !left) {
        again = false
        await renew()
      }
      problem = undefined
    } catch (error) {
      problem = fromRedis(error)
      if (!isAlive() && closing !== undefined) for (const lane of [...lanes.values()]) drop(lane)
    } finally {
      if (!left) timer = unrefTimer(setTimeout(onTimer, jitter(leaseTtl / 3)))
    }
  }
  const onTimer = (): void => {
    wakes.check()
    void renewNow()
  }
  const onChange = (): void => void renewNow()
  let left = false

  const close = async (): Promise<void> => {
    for (const lane of lanes.values()) lane.wake()
    // Gone from the others' view already, what is in hand cannot be settled any more.
    if (!isAlive() && !connection.isReady) for (const lane of [...lanes.values()]) drop(lane)
    // So that nothing that is given up comes back.
    void renewNow()
    await Promise.all([...lanes.values()].map(giveUp))
    left = true
    clearTimeout(timer)
    wakes.ignore(groupKeys.changes, onChange)
    await renewing
    const args = [member, groupKeys.changes, named === undefined ? group : '']
    try {
      const options = { within: connection.isReady ? timeout : 1 }
      await connection.run(leaveScript, [...names, ...keys.streams], args, options)
    } catch {
      // Then it is missed once its time has run out.
    }
    measures.gone(source)
    context.onClosed(subscription)
  }

  const subscription: RedisSubscription = {
    get problem() {
      return isAlive() ? undefined : problem
    },
    pause() {
      if (closing !== undefined || paused) return
      paused = true
      void renewNow()
    },
    resume() {
      if (closing !== undefined || !paused) return
      paused = false
      for (const lane of lanes.values()) lane.wake()
      void renewNow()
    },
    close(closeOptions) {
      closing ??= runInRoot(close)
      return abortable(closing, closeOptions?.signal)
    },
    [Symbol.asyncDispose]: () => subscription.close(),
  }

  const open = async (): Promise<void> => {
    const made = await connection.run(
      openScript,
      [keys.topic, keys.passing, ...keys.streams],
      [partitions, group, passing],
      { within: timeout, signal },
    )
    if (String(made) !== String(partitions)) {
      throw otherPartitions(topic, String(made), partitions)
    }
    await wakes.listen(groupKeys.changes, onChange)
    await renewNow()
    if (problem !== undefined) {
      await subscription.close()
      throw problem
    }
  }
  try {
    await open()
  } catch (error) {
    left = true
    wakes.ignore(groupKeys.changes, onChange)
    throw error
  }
  return subscription
}
