import { unrefTimer } from '@micro/core/component'

/** Keys that were gone after an outage, and may come back. */
export interface Doubts {
  /** Until its time is over; one that is in doubt already keeps its time. */
  hold(key: string): void
  has(key: string): boolean
  /** It is there again, or gone for good. */
  clear(key: string): void
  close(): void
}

/** `onOver` is told of each key whose time is over. */
export function createDoubts(grace: number, onOver: (key: string) => void): Doubts {
  const timers = new Map<string, ReturnType<typeof setTimeout>>()
  const clear = (key: string): void => {
    clearTimeout(timers.get(key))
    timers.delete(key)
  }
  return {
    hold(key) {
      if (timers.has(key)) return
      const over = (): void => {
        timers.delete(key)
        onOver(key)
      }
      timers.set(key, unrefTimer(setTimeout(over, grace)))
    },
    has: (key) => timers.has(key),
    clear,
    close() {
      for (const key of [...timers.keys()]) clear(key)
    },
  }
}
