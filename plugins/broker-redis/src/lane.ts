import type { Settlement } from '@micro/core/broker'
import { runInRoot } from '@micro/core/context'
import type { Argument, Script } from './connection.ts'
import { type Entry, entriesOf, type RawEntry, toDelivery } from './entries.ts'
import { fromRedis } from './errors.ts'
import type { Lane, LaneOptions } from './lane-options.ts'
import { againScript, plainRead, readScript, releaseScript, secureScript } from './lane-scripts.ts'
import { createLaneToken } from './lane-token.ts'
import { createNap } from './nap.ts'
import { createTakes, type Take } from './takes.ts'

interface Held extends Entry {
  readonly take: Take | undefined
  /** Deliveries, the next one included. */
  attempt: number
  /** The one that `attempt` counts has been made. */
  failed: boolean
}

/** After a delivery that settled nothing, or a failure of its own. */
const shortPause = 100

/** With fewer entries the commands of a transaction cost more than a script that answers with them. */
const leastPlain = 10

export function openLane(options: LaneOptions): Lane {
  const { connection, partition, group, keys, deliver, batch, prefetch, timeout } = options
  // With large batches, one in hand and one ahead.
  const most = Math.max(prefetch, batch + Math.min(prefetch, batch))
  const held: Held[] = []
  const takes = createTakes()
  /** Handled, and to be settled. */
  let handled: Held[] = []
  /** Where pending entries are read from, until there are no more. */
  let pendingAfter: string | undefined = '-'
  /** Those of a former owner have been delivered; those whose answer was lost have not. */
  let countPending = true
  let lastId = '0-0'
  let reading: Promise<void> | undefined
  let isEmpty = false
  /** The last request has found as many as it wanted. */
  let much = false
  /** Redis has not let us read plainly. */
  let refused = false
  /** Something may be new since the last request was sent. */
  let woken = false
  let releasing = false
  const lost = new AbortController()

  const stop = (): boolean => releasing || lost.signal.aborted
  const { wait, wake: nudge } = createNap()
  const headOf = (current: string) => [String(partition), current, group] as const
  const ask = (
    script: Script,
    rest: Argument[],
    retry: boolean,
    current = token.current,
  ): Promise<unknown> =>
    connection.run(script, keys, [...headOf(current), ...rest], {
      within: timeout,
      signal: lost.signal,
      retry,
    })

  const token = createLaneToken(options.token, options.tokenInDoubt, (current, next) =>
    ask(secureScript, [next], true, current),
  )

  /** Settles what has been handled and reads on, one request at a time. */
  const read = async (): Promise<void> => {
    if (!(await token.secure())) return lose()
    const isEnough = held.length > most / 2 || stop() || options.isPaused()
    const wanted = isEnough ? 0 : most - held.length
    woken = false
    const settled = handled
    handled = []
    const from = pendingAfter === undefined ? '' : pendingAfter
    const after = held.at(-1)?.id ?? lastId
    const consumer = isPlain(wanted) ? takes.next() : undefined
    const names = takes.name(settled)
    let answer: unknown
    try {
      // Not again by itself: what the lost answer has read is pending now, and comes first.
      answer =
        consumer !== undefined
          ? await askPlainly(wanted, names, consumer)
          : await ask(readScript, [wanted, from, countPending ? 1 : 0, after, names], false)
    } catch (error) {
      takes.doubt(settled, consumer)
      token.doubt()
      if (consumer !== undefined) refused ||= fromRedis(error).code !== 'unavailable'
      handled = [...settled, ...handled]
      if (pendingAfter === undefined && wanted > 0) {
        pendingAfter = after === '0-0' ? '-' : `(${after}`
        countPending = false
      }
      throw error
    }
    if (answer === null) return lose()
    takes.settled(settled)
    if (wanted === 0) return
    const [more, entries] = answer as [number, RawEntry[]]
    const take = consumer === undefined ? undefined : takes.open(consumer, entries.length)
    for (const [id, fields, attempt = 1] of entries) {
      held.push({ id: id.toString('latin1'), fields, take, attempt, failed: false })
    }
    const newest = held.at(-1)?.id
    if (entries.length > 0 && newest !== undefined) lastId = newest
    if (more === 1) pendingAfter = `(${lastId}`
    else {
      pendingAfter = undefined
      countPending = true
    }
    much = more === 0 && entries.length === wanted
    // Only the script has us called when something comes.
    isEmpty = more === 0 && entries.length === 0 && consumer === undefined
  }
  /** Only while others know us to be alive: one who is not the owner does damage by it. */
  const isPlain = (wanted: number): boolean =>
    much &&
    wanted >= leastPlain &&
    pendingAfter === undefined &&
    !refused &&
    connection.isReady &&
    options.isAlive()
  const askPlainly = async (
    wanted: number,
    settled: string,
    consumer: string,
  ): Promise<unknown> => {
    const { changes } = options
    const answers = await connection.transact(
      keys[0],
      plainRead({ keys, head: headOf(token.current), changes, wanted, settled, consumer }),
    )
    const [found, isOurs] = answers
    for (const one of answers) if (one instanceof Error) throw fromRedis(one)
    if (isOurs !== 1) return null
    return [0, found === null ? [] : entriesOf(found)]
  }
  const readOnce = (): Promise<void> => {
    reading ??= read().finally(() => {
      reading = undefined
    })
    return reading
  }

  const deliverNext = async (): Promise<void> => {
    const size = Math.min(batch, held.length)
    const deliveries = held.slice(0, size).map((one) => toDelivery(partition, one, one.attempt))
    let settlements: readonly Settlement[]
    try {
      settlements = await deliver(String(partition), deliveries)
    } catch {
      // Core's never throws; another's is as good as one that asks for it again.
      settlements = [{ retryAfter: 1_000 }]
    }
    if (lost.signal.aborted) return
    let retryAfter = settlements.length === 0 ? shortPause : undefined
    let failed: Held | undefined
    let done = 0
    for (const settlement of settlements.slice(0, size)) {
      const one = held[done]
      if (one === undefined) break
      if (typeof settlement === 'object') {
        retryAfter = settlement.retryAfter
        failed = one
        fail(one)
        break
      }
      if (one.take !== undefined) one.take.left -= 1
      done += 1
    }
    const settled = held.splice(0, done)
    handled = handled.length === 0 ? settled : [...handled, ...settled]
    options.onDelivered(size)
    if (retryAfter === undefined) return
    // What went before is settled meanwhile.
    if (handled.length > 0) void quietly(readOnce())
    await pause(retryAfter)
    if (failed !== undefined && !stop()) await countAgain(failed)
  }
  const fail = (failed: Held): void => {
    failed.failed = true
    // It is claimed before it is delivered again.
    if (failed.take !== undefined) failed.take.broken = true
  }
  const pause = async (milliseconds: number): Promise<void> => {
    const until = performance.now() + milliseconds
    for (let left = milliseconds; left > 0 && !stop(); left = until - performance.now()) {
      await wait(left)
    }
  }
  const countAgain = async (failed: Held): Promise<void> => {
    const times = await untilAnswered(() => ask(againScript, [failed.id], true))
    if (times === null) lose()
    else if (times === 0) takes.settled(held.splice(0, 1))
    else if (typeof times === 'number') {
      failed.attempt = times
      failed.failed = false
    }
  }
  /** Nobody else can go on with the partition, so there is no giving up. */
  const untilAnswered = async (work: () => Promise<unknown>): Promise<unknown> => {
    while (!stop()) {
      try {
        return await work()
      } catch {
        await wait(shortPause)
      }
    }
    return undefined
  }

  const run = async (): Promise<void> => {
    await options.after
    while (!stop()) {
      try {
        if (options.isPaused() || !options.isAlive()) await wait()
        else if (held.length === 0) {
          isEmpty = false
          await readOnce()
          if (isEmpty && !woken && handled.length === 0 && !stop()) await wait()
        } else {
          // The next ones come meanwhile.
          if (much && held.length <= most / 2) void quietly(readOnce())
          await deliverNext()
          if (!stop() && handled.length > 0) {
            const settling = readOnce()
            if (held.length === 0) await settling
            else void quietly(settling)
          }
        }
      } catch {
        // The connection says what is wrong; it is asked again until the partition is lost.
        if (!stop()) await wait(shortPause)
      }
    }
  }
  const lose = (): void => {
    if (lost.signal.aborted) return
    lost.abort(new Error('the partition belongs to another'))
    nudge()
    options.onLost()
  }
  const giveBack = async (): Promise<void> => {
    await reading?.catch(() => undefined)
    if (lost.signal.aborted) return
    const rest = held.flatMap(({ id, attempt, failed }) => [id, failed ? attempt : attempt - 1])
    await ask(releaseScript, [options.changes, takes.name(handled), ...rest], true)
  }

  const running = runInRoot(run)
  let released: Promise<void> | undefined
  return {
    partition,
    get token() {
      return token.current
    },
    ended: running,
    wake() {
      woken = true
      nudge()
    },
    lose,
    release() {
      released ??= (async () => {
        releasing = true
        nudge()
        // What is in hand is waited for as long as it is ours to settle.
        await Promise.race([running, once(lost.signal)])
        await giveBack().catch(() => undefined)
        lost.abort(new Error('the partition has been given up'))
      })()
      return released
    },
  }
}

async function quietly(work: Promise<void>): Promise<void> {
  try {
    await work
  } catch {
    // What it was to settle is settled with the next request.
  }
}

function once(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
