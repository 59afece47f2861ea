import type { Deliver, Settlement } from '@micro/core/broker'
import { unrefTimer } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import type { Argument, Connection, Script } from './connection.ts'
import { type Entry, toDelivery } from './entries.ts'
import { againScript, readScript, releaseScript } from './lane-scripts.ts'

export interface LaneOptions {
  readonly connection: Connection
  readonly partition: number
  /** Shows that the partition is still ours; another owner has another one. */
  readonly token: string
  readonly group: string
  /** Names in Redis: topic, lanes of the group, stream; channel of changes. */
  readonly keys: readonly [topic: string, lanes: string, stream: string]
  readonly changes: string
  readonly deliver: Deliver
  readonly batch: number
  readonly prefetch: number
  readonly timeout: number
  /** Ends when what was in hand of the partition, when it was lost before, has been handled. */
  readonly after: Promise<void> | undefined
  readonly isPaused: () => boolean
  /** Whether others know us to be alive; what is ours may otherwise be theirs by now. */
  readonly isAlive: () => boolean
  readonly onDelivered: (count: number) => void
  /** It has found that it belongs to another. */
  readonly onLost: () => void
}

/** What one subscription does with a partition that it owns: reads, delivers, settles, in order. */
export interface Lane {
  readonly partition: number
  readonly token: string
  /** Resolves when no handler of it runs any more. */
  readonly ended: Promise<void>
  /** Looks whether there is something new, or goes on after a pause. */
  wake(): void
  /** Resolves when nothing of it runs any more, and the partition has been given up. */
  release(): Promise<void>
  /** It belongs to another now. */
  lose(): void
}

interface Held {
  readonly entry: Entry
  /** Deliveries, the next one included. */
  attempt: number
  /** The one that `attempt` counts has been made. */
  failed: boolean
}

/** After a delivery that settled nothing, or a failure of its own. */
const shortPause = 100

export function openLane(options: LaneOptions): Lane {
  const { connection, partition, token, group, keys, deliver, batch, prefetch, timeout } = options
  const most = Math.max(prefetch, batch)
  const held: Held[] = []
  let acks: string[] = []
  /** Where pending entries are read from, until there are no more. */
  let pendingAfter: string | undefined = '-'
  /** Those of a former owner have been delivered; those whose answer was lost have not. */
  let countPending = true
  let lastId = '0-0'
  let reading: Promise<void> | undefined
  let isEmpty = false
  /** Something may be new since the last request was sent. */
  let woken = false
  let releasing = false
  const lost = new AbortController()
  let wakeUp: (() => void) | undefined

  const stop = (): boolean => releasing || lost.signal.aborted
  const wait = (milliseconds?: number): Promise<void> =>
    new Promise((resolve) => {
      const timer =
        milliseconds === undefined ? undefined : unrefTimer(setTimeout(done, milliseconds))
      function done(): void {
        clearTimeout(timer)
        wakeUp = undefined
        resolve()
      }
      wakeUp = done
    })
  const nudge = (): void => wakeUp?.()
  const head: Argument[] = [String(partition), token, group]
  const ask = (script: Script, rest: Argument[], retry: boolean): Promise<unknown> =>
    connection.run(script, keys, [...head, ...rest], {
      within: timeout,
      signal: lost.signal,
      retry,
    })

  /** Settles what has been handled and reads on, one request at a time. */
  const read = async (): Promise<void> => {
    const isEnough = held.length > most / 2 || stop() || options.isPaused()
    const wanted = isEnough ? 0 : most - held.length
    woken = false
    const settled = acks
    acks = []
    const from = pendingAfter === undefined ? '' : pendingAfter
    const after = held.at(-1)?.entry.id ?? lastId
    let answer: unknown
    try {
      const rest = [wanted, from, countPending ? 1 : 0, after, ...settled]
      // Not again by itself: what the lost answer has read is pending now, and comes first.
      answer = await ask(readScript, rest, false)
    } catch (error) {
      acks = [...settled, ...acks]
      if (pendingAfter === undefined && wanted > 0) {
        pendingAfter = after === '0-0' ? '-' : `(${after}`
        countPending = false
      }
      throw error
    }
    if (answer === null) return lose()
    if (wanted === 0) return
    const [more, entries] = answer as [number, [Buffer, Buffer[], number?][]]
    for (const [id, fields, attempt = 1] of entries) {
      held.push({ entry: { id: String(id), fields }, attempt, failed: false })
    }
    const newest = held.at(-1)?.entry.id
    if (entries.length > 0 && newest !== undefined) lastId = newest
    if (more === 1) pendingAfter = `(${lastId}`
    else pendingAfter = undefined
    if (pendingAfter === undefined) countPending = true
    isEmpty = more === 0 && entries.length === 0
  }
  const readOnce = (): Promise<void> => {
    reading ??= read().finally(() => {
      reading = undefined
    })
    return reading
  }

  const deliverNext = async (): Promise<void> => {
    const size = Math.min(batch, held.length)
    const deliveries = held
      .slice(0, size)
      .map(({ entry, attempt }) => toDelivery(partition, entry, attempt))
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
    for (const settlement of settlements.slice(0, size)) {
      if (typeof settlement === 'object') {
        retryAfter = settlement.retryAfter
        failed = held[0]
        if (failed !== undefined) failed.failed = true
        break
      }
      const done = held.shift()
      if (done !== undefined) acks.push(done.entry.id)
    }
    options.onDelivered(size)
    if (retryAfter === undefined) return
    // What went before is settled meanwhile.
    if (acks.length > 0) void quietly(readOnce())
    await pause(retryAfter)
    if (failed !== undefined && !stop()) await countAgain(failed)
  }
  const pause = async (milliseconds: number): Promise<void> => {
    const until = performance.now() + milliseconds
    for (let left = milliseconds; left > 0 && !stop(); left = until - performance.now()) {
      await wait(left)
    }
  }
  const countAgain = async (failed: Held): Promise<void> => {
    const times = await untilAnswered(() => ask(againScript, [failed.entry.id], true))
    if (times === null) lose()
    else if (times === 0) held.shift()
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
          if (isEmpty && !woken && acks.length === 0 && !stop()) await wait()
        } else {
          await deliverNext()
          if (!stop() && acks.length > 0) {
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
    const rest = held.flatMap(({ entry, attempt, failed }) => [
      entry.id,
      failed ? attempt : attempt - 1,
    ])
    await ask(releaseScript, [options.changes, acks.length, ...acks, ...rest], true)
  }

  const running = runInRoot(run)
  let released: Promise<void> | undefined
  return {
    partition,
    token,
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
