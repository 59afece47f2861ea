import { backoff, sleep, unrefTimer } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import {
  handOver,
  type KafkaMember,
  type KafkaSettings,
  type MemberOptions,
  unavailable,
  within,
} from '@micro/kafka-broker'
import { NetworkError } from '@platformatic/kafka'
import { createCluster } from './cluster.ts'
import {
  createCoordinator,
  givenId,
  isChange,
  isOfGoneMember,
  isWaiting,
  type Session,
} from './coordinator.ts'
import { canPass, isLost } from './errors.ts'
import { createFetcher } from './fetcher.ts'

/** Milliseconds for a goodbye. */
const goodbye = 3_000
/** Milliseconds without a sign of life, more or less, after which it is not waited for any longer. */
const patience = 10_000

/**
 * A member whose next joining of the group waits until its handlers are done. It outlives a coordinator
 * that moves: who it is stays the same.
 */
export function startMember(settings: KafkaSettings, options: MemberOptions): KafkaMember {
  const { topic, groupId, lanes } = options
  const { sessionTimeout, rebalanceTimeout, heartbeatInterval } = settings
  const death = Promise.withResolvers<unknown>()
  const over = Promise.withResolvers<void>()
  const ending = new AbortController()
  let joined = false
  let ended = false
  let isJoining = false
  /** Goes up with each change, so that what was begun before it ends there. */
  let round = 0
  let id: string | undefined
  let session: Session | undefined
  let silence = 0

  const coordinator = createCoordinator({
    settings,
    topic,
    groupId,
    onAnswer() {
      silence = 0
    },
  })
  // A broker answers one request of a connection after the other: heartbeats would wait for messages.
  const data = createCluster(settings, settings.maxWait + settings.requestTimeout)
  const fetcher = createFetcher({
    cluster: data,
    settings,
    topic,
    lanes,
    onFailure(why) {
      if (!ended) die(why)
    },
  })
  const setJoined = (value: boolean): void => {
    joined = value
    if (value) options.onJoined()
    else options.onLeft()
  }
  const die = (why: unknown): void => {
    if (joined) setJoined(false)
    death.resolve(why)
  }
  // While Kafka is away there is no connection that would keep the process from ending.
  const pause = (milliseconds: number): Promise<void> =>
    sleep(milliseconds, { signal: ending.signal, keepAlive: true })

  /** As who it was in that generation: Kafka refuses what comes too late. */
  const commitAs = async (
    who: Session | undefined,
    offsets: ReadonlyMap<number, number>,
  ): Promise<void> => {
    if (who === undefined) throw unavailable(`group ${groupId}: not joined`)
    await coordinator.commit(who, offsets)
    for (const [partition, offset] of offsets) lanes.onCommitted(partition, offset)
  }
  /** Says goodbye, also for one that could not: the group would wait for it until its session ends. */
  const sayGoodbye = async (memberId: string): Promise<void> => {
    for (let attempt = 0; attempt < 10; attempt++) {
      try {
        await coordinator.leave(memberId)
        return
      } catch (error) {
        // A coordinator that has just started does not know yet whom it knows.
        if (!canPass(error) || (ended && isLost(error))) return
        await sleep(100 * attempt, { keepAlive: true })
      }
    }
  }
  const join = async (): Promise<readonly number[]> => {
    isJoining = true
    try {
      for (let attempt = 0; ; attempt++) {
        // Or it would be back in the group right after it has left.
        ending.signal.throwIfAborted()
        try {
          return await coordinator.join(id, lanes.partitions, (found) => {
            session = found
            id = found.memberId
          })
        } catch (error) {
          const given = givenId(error)
          if (given !== undefined) {
            // As it is meant to be: it has a name now, and asks again.
            id = given
            continue
          }
          if (isOfGoneMember(error)) id = undefined
          else if (!isChange(error) && !canPass(error)) throw error
          await pause(backoff(attempt, { base: 100, max: 1_000 }))
        }
      }
    } finally {
      isJoining = false
    }
  }
  const beat = async (): Promise<boolean> => {
    if (session === undefined) return false
    try {
      await coordinator.heartbeat(session)
      return true
    } catch (error) {
      // So it answers, as long as it waits for this member.
      if (isWaiting(error)) silence = 0
      return isWaiting(error)
    }
  }
  /** Waits for the handlers, and commits what they have settled, while the group waits for this. */
  const leave = async (): Promise<void> => {
    round += 1
    fetcher.assign([])
    if (!joined) return
    setJoined(false)
    await handOver({ settings, idle: () => Promise.race([lanes.idle(), over.promise]), beat })
    const offsets = lanes.uncommitted()
    if (offsets.size > 0) await within(goodbye, commitAs(session, offsets)).catch(() => undefined)
  }
  const settleIn = async (partitions: readonly number[]): Promise<void> => {
    round += 1
    const mine = round
    const who = session
    for (let attempt = 0; ; attempt++) {
      try {
        const offsets = await options.startOffsets(partitions, (first) => commitAs(who, first))
        if (mine !== round || ended) return
        lanes.assign(offsets)
        setJoined(true)
        fetcher.assign(partitions)
        return
      } catch (error) {
        if (mine !== round || ended) return
        // Heartbeats tell of a change too.
        const mayPass = isChange(error) || canPass(error) || MicroError.is(error, 'unavailable')
        if (!mayPass || attempt === 10) throw error
        await pause(backoff(attempt, { base: 50, max: 1_000 }))
      }
    }
  }
  /** Sends heartbeats until the group changes. */
  const stay = async (): Promise<void> => {
    const count = session?.partitionCount
    let lookAt = Date.now() + settings.lagInterval
    for (;;) {
      await pause(heartbeatInterval)
      try {
        if (session !== undefined) await coordinator.heartbeat(session)
        if (count === undefined || Date.now() < lookAt) continue
        lookAt = Date.now() + settings.lagInterval
        // Nobody but the leader finds partitions that were added.
        if ((await coordinator.countPartitions()) !== count) return
      } catch (error) {
        if (isOfGoneMember(error)) {
          id = undefined
          session = undefined
        }
        if (isChange(error)) return
        if (!canPass(error)) throw error
      }
    }
  }
  const run = async (): Promise<void> => {
    if (options.ghost !== undefined) await sayGoodbye(options.ghost)
    for (;;) {
      await leave()
      const partitions = await join()
      settleIn(partitions).catch((error: unknown) => {
        if (!ended) die(error)
      })
      await stay()
    }
  }

  const tick = Math.min(1_000, sessionTimeout / 4)
  const limit = Math.min(sessionTimeout, Math.max(patience, 2 * heartbeatInterval))
  const watchdog = unrefTimer(
    setInterval(() => {
      // Counted rather than measured: while the thread was busy nothing could be heard.
      silence += tick
      if (silence < (joined ? limit : limit + rebalanceTimeout)) return
      die(unavailable(`group ${groupId}: no heartbeat for ${silence} ms`))
    }, tick),
  )
  run().catch((error: unknown) => {
    if (!ended) die(error)
  })

  return {
    get joined() {
      return joined
    },
    get id() {
      return id
    },
    died: death.promise,
    die,
    commit: (offsets) => commitAs(session, offsets),
    hold(_partition, held) {
      if (!held && joined) fetcher.pump()
    },
    async end() {
      ended = true
      ending.abort(new NetworkError('the member has left'))
      over.resolve()
      clearInterval(watchdog)
      fetcher.assign([])
      if (joined) setJoined(false)
      // Behind a request to join, nothing is heard.
      if (isJoining) coordinator.interrupt()
      if (id !== undefined) await within(goodbye, sayGoodbye(id)).catch(() => undefined)
      data.close()
      coordinator.close()
    },
  }
}
