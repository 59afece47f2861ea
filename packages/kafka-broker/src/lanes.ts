import type { Deliver, Settlement } from '@micro/core/broker'
import { unrefTimer } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import { type LaneRecord, sizeOf, toDeliveries } from './records.ts'

export interface LanesOptions {
  readonly deliver: Deliver
  /** Deliveries at a time. */
  readonly batch: number
  /** Bytes to keep ahead of a partition's handler. */
  readonly prefetch: number
  /** No more of this partition for now; and again some. */
  readonly hold: (partition: number, held: boolean) => void
  /** Something was settled that has not been committed. */
  readonly onSettled: () => void
}

interface Lane {
  readonly partition: number
  queue: readonly LaneRecord[]
  /** Those before it in the queue have been settled. */
  done: number
  /** Of those after them, more or less. */
  bytes: number
  /** The offset to fetch from. */
  next: number
  /** All before it has been settled. */
  settled: number
  /** What Kafka knows of that. */
  committed: number
  /** Where the partition ended when last heard of. */
  end: number
  held: boolean
  timer: ReturnType<typeof setTimeout> | undefined
}

/** What one subscription has of its partitions: fetched, handed out, settled. */
export interface Lanes {
  /** No further deliveries while either is true. */
  paused: boolean
  /** As long as this member may have lost its partitions. */
  suspended: boolean
  readonly partitions: readonly number[]
  /**
   * The partitions that this member has from now on, with what the group has committed of each. A lane
   * goes on where it was, unless somebody else has gone further.
   */
  assign(committed: ReadonlyMap<number, number>): void
  /** Where to fetch from, and whether to. */
  position(
    partition: number,
  ): { readonly next: number; readonly settled: number; readonly held: boolean } | undefined
  /** @param next The offset after these. @param end That after the partition's last. */
  accept(partition: number, records: readonly LaneRecord[], next: number, end: number): void
  /** What is to be committed, by partition. */
  uncommitted(): Map<number, number>
  onCommitted(partition: number, offset: number): void
  /** Resolves once no handler runs. */
  idle(): Promise<void>
  /** Messages that are not settled, by partition. */
  lags(): Map<number, number>
  /** Where partitions end. True if one of them should have been fetched from, and was not, since the last time. */
  onEnds(ends: ReadonlyMap<number, number>): boolean
  /** Has the lanes looked at again. */
  pump(): void
  clear(): void
}

/** Milliseconds after a handler that has thrown, as core's memory broker. */
const afterThrow = 1_000
/** And after one that has settled nothing. */
const afterNothing = 10

export function createLanes(options: LanesOptions): Lanes {
  const { deliver, batch, prefetch, hold, onSettled } = options
  const lanes = new Map<number, Lane>()
  /** Partitions with a running handler, also of a lane that has gone. */
  const busy = new Set<number>()
  const waiting: (() => void)[] = []
  let starved = new Map<number, number>()
  const given = new Map<number, number>()
  let paused = false
  let suspended = true

  const pump = (lane: Lane): void => {
    const { partition } = lane
    if (paused || suspended || lane.timer !== undefined || busy.has(partition)) return
    if (lane.done === lane.queue.length) return
    const records = lane.queue.slice(lane.done, lane.done + batch)
    busy.add(partition)
    // Never in the context of who resumes.
    const settled = runInRoot(async () =>
      deliver(String(partition), toDeliveries(partition, records)),
    )
    settled.then(
      (settlements) => settle(lane, settlements.slice(0, records.length)),
      () => settle(lane, [{ retryAfter: afterThrow }]),
    )
  }
  const settle = (lane: Lane, settlements: readonly Settlement[]): void => {
    const { partition } = lane
    busy.delete(partition)
    // What a lane that has gone settles is not ours to commit.
    if (lanes.get(partition) === lane) advance(lane, settlements)
    if (busy.size === 0) for (const resolve of waiting.splice(0)) resolve()
    const current = lanes.get(partition)
    if (current !== undefined) pump(current)
  }
  const advance = (lane: Lane, settlements: readonly Settlement[]): void => {
    let retryAfter = settlements.length === 0 ? afterNothing : undefined
    let count = 0
    for (const settlement of settlements) {
      if (typeof settlement === 'object') {
        retryAfter = Math.min(settlement.retryAfter, 2 ** 31 - 1)
        break
      }
      count += 1
    }
    const last = lane.queue[lane.done + count - 1]
    if (count > 0 && last !== undefined) {
      lane.bytes -= (lane.bytes * count) / (lane.queue.length - lane.done)
      lane.done += count
      lane.settled = Number(last.offset) + 1
    }
    compact(lane)
    if (lane.settled > lane.committed) onSettled()
    if (lane.held && lane.bytes <= prefetch / 2) {
      lane.held = false
      hold(lane.partition, false)
    }
    if (retryAfter === undefined) return
    lane.timer = unrefTimer(
      setTimeout(() => {
        lane.timer = undefined
        pump(lane)
      }, retryAfter),
    )
  }
  const drop = (lane: Lane): void => {
    clearTimeout(lane.timer)
    lanes.delete(lane.partition)
  }

  return {
    get paused() {
      return paused
    },
    set paused(value) {
      paused = value
    },
    get suspended() {
      return suspended
    },
    set suspended(value) {
      suspended = value
    },
    get partitions() {
      return [...lanes.keys()]
    },
    assign(committed) {
      for (const lane of lanes.values()) if (!committed.has(lane.partition)) drop(lane)
      for (const [partition, offset] of committed) {
        const lane = lanes.get(partition)
        if (lane !== undefined && lane.committed <= offset && offset <= lane.settled) {
          lane.committed = offset
          continue
        }
        if (lane !== undefined) drop(lane)
        lanes.set(partition, newLane(partition, offset))
      }
      starved.clear()
    },
    position(partition) {
      return lanes.get(partition)
    },
    accept(partition, records, next, end) {
      let lane = lanes.get(partition)
      if (lane === undefined) return
      const first = Number(records[0]?.offset ?? lane.next)
      if (first < lane.next && end < lane.next) {
        // The partition has been cut, or made anew: its offsets mean other messages now.
        drop(lane)
        lane = { ...newLane(partition, first), committed: -1 }
        lanes.set(partition, lane)
      }
      const { next: from } = lane
      const fresh = first >= from ? records : records.filter(({ offset }) => Number(offset) >= from)
      lane.queue =
        lane.done === lane.queue.length ? fresh : [...lane.queue.slice(lane.done), ...fresh]
      lane.done = 0
      lane.bytes += sizeOf(fresh)
      lane.next = Math.max(lane.next, next)
      lane.end = Math.max(end, lane.next)
      if (lane.bytes > prefetch && !lane.held) {
        lane.held = true
        hold(partition, true)
      }
      compact(lane)
      if (lane.settled > lane.committed) onSettled()
      pump(lane)
    },
    uncommitted() {
      const found = new Map<number, number>()
      for (const { partition, settled, committed } of lanes.values()) {
        if (settled > committed) found.set(partition, settled)
      }
      return found
    },
    onCommitted(partition, offset) {
      const lane = lanes.get(partition)
      if (lane !== undefined) lane.committed = Math.max(lane.committed, offset)
    },
    idle: () => (busy.size === 0 ? Promise.resolve() : new Promise((done) => waiting.push(done))),
    lags: () =>
      new Map([...lanes.values()].map((lane) => [lane.partition, lane.end - lane.settled])),
    onEnds(ends) {
      const hungry = new Map<number, number>()
      for (const lane of lanes.values()) {
        lane.end = Math.max(lane.end, ends.get(lane.partition) ?? 0)
        if (!lane.held && lane.next < lane.end) hungry.set(lane.partition, lane.next)
      }
      const stuck = [...hungry].some(
        ([partition, next]) => starved.get(partition) === next && given.get(partition) !== next,
      )
      starved = hungry
      // Where there is nothing to be had, as behind an open transaction, another try would not help.
      if (stuck) for (const [partition, next] of hungry) given.set(partition, next)
      return stuck
    },
    pump() {
      for (const lane of lanes.values()) pump(lane)
    },
    clear() {
      for (const lane of lanes.values()) drop(lane)
    },
  }
}

function newLane(partition: number, offset: number): Lane {
  const at = { next: offset, settled: offset, committed: offset, end: offset }
  return { partition, queue: [], done: 0, bytes: 0, ...at, held: false, timer: undefined }
}

/** Lets go of what has been settled; not one by one, which would move a long queue each time. */
function compact(lane: Lane): void {
  // Behind the last message there may be marks of transactions, which are nobody's to settle.
  if (lane.done === lane.queue.length) lane.settled = Math.max(lane.settled, lane.next)
  if (lane.done < lane.queue.length && lane.done < 1_024) return
  lane.queue = lane.queue.slice(lane.done)
  lane.done = 0
}
