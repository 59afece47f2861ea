import { unrefTimer } from '../component/timing.ts'

/** What the wheel holds. The links live in the entry, so joining and leaving allocate nothing. */
export interface WheelEntry {
  wheelTick: number
  wheelNext: WheelEntry | undefined
  wheelPrevious: WheelEntry | undefined
  expire(): void
}

const tickLength = 4 // milliseconds: how late an entry may expire
const slotCount = 1024 // a turn is about 4 s; entries further out stay for another turn
const slots: (WheelEntry | undefined)[] = new Array(slotCount).fill(undefined)

let size = 0
let timer: ReturnType<typeof setTimeout> | undefined
let timerTick = Number.POSITIVE_INFINITY
let lastTick = 0

/**
 * Expires `entry` at `deadline` (clock of `performance.now()`), at most a tick late.
 *
 * One unref'd timer for all, set for the earliest slot in use: calls that end in time, which is
 * nearly all of them, cost two pointer writes and no timer.
 */
export function joinWheel(entry: WheelEntry, deadline: number): void {
  // A deadline in the past goes to a tick that is still to come. The clock is not asked here.
  const tick = Math.max(Math.ceil(deadline / tickLength), lastTick + 1)
  const slot = tick % slotCount
  const head = slots[slot]
  entry.wheelTick = tick
  entry.wheelNext = head
  entry.wheelPrevious = undefined
  if (head !== undefined) head.wheelPrevious = entry
  slots[slot] = entry
  size++
  if (tick < timerTick) arm(tick)
}

export function leaveWheel(entry: WheelEntry): void {
  if (entry.wheelTick < 0) return
  const { wheelNext, wheelPrevious } = entry
  if (wheelPrevious !== undefined) wheelPrevious.wheelNext = wheelNext
  else slots[entry.wheelTick % slotCount] = wheelNext
  if (wheelNext !== undefined) wheelNext.wheelPrevious = wheelPrevious
  entry.wheelTick = -1
  entry.wheelNext = undefined
  entry.wheelPrevious = undefined
  size--
}

function turn(): void {
  timer = undefined
  timerTick = Number.POSITIVE_INFINITY
  const now = Math.floor(performance.now() / tickLength)
  // After a long pause every slot is looked at once, not once per missed turn.
  const from = Math.max(lastTick + 1, now - slotCount + 1)
  lastTick = now
  for (let tick = from; tick <= now; tick++) expireSlot(tick % slotCount, now)
  if (size > 0) arm(nextTick(now))
}

function expireSlot(slot: number, now: number): void {
  let entry = slots[slot]
  while (entry !== undefined) {
    if (entry.wheelTick <= now) {
      leaveWheel(entry)
      entry.expire()
      // Expiring one may remove any other, the next one included.
      entry = slots[slot]
    } else {
      entry = entry.wheelNext
    }
  }
}

/** The earliest tick in use, or a whole turn ahead if all are further out. */
function nextTick(now: number): number {
  for (let ahead = 1; ahead < slotCount; ahead++) {
    for (
      let entry = slots[(now + ahead) % slotCount];
      entry !== undefined;
      entry = entry.wheelNext
    ) {
      if (entry.wheelTick === now + ahead) return now + ahead
    }
  }
  return now + slotCount - 1
}

function arm(tick: number): void {
  if (timer !== undefined) clearTimeout(timer)
  timerTick = tick
  const delay = Math.max(0, tick * tickLength - performance.now())
  timer = unrefTimer(setTimeout(turn, Math.ceil(delay)))
}
