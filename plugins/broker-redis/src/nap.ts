import { unrefTimer } from '@micro/core/component'

/** Waits that end early when there is something to do. */
export interface Nap {
  /** For so many milliseconds, or until woken. One at a time. */
  wait(milliseconds?: number): Promise<void>
  wake(): void
}

export function createNap(): Nap {
  let wakeUp: (() => void) | undefined
  return {
    wait: (milliseconds) =>
      new Promise((resolve) => {
        const timer =
          milliseconds === undefined ? undefined : unrefTimer(setTimeout(done, milliseconds))
        function done(): void {
          clearTimeout(timer)
          wakeUp = undefined
          resolve()
        }
        wakeUp = done
      }),
    wake: () => wakeUp?.(),
  }
}
