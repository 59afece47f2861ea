import { backoff, jitter, unrefTimer } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'

/** Work that is done again and again, until it is stopped. */
export interface Loop {
  /** Does it now, or once more if it is being done. */
  wake(): void
  /** What the latest round failed with. */
  readonly problem: unknown
  /** Resolves when the round that runs has ended. */
  stop(): Promise<void>
}

/** A round that fails is tried again, later and later, unless it got somewhere. */
export function createLoop(
  interval: number,
  round: (progressed: () => void) => Promise<void>,
): Loop {
  let timer: ReturnType<typeof setTimeout> | undefined
  let running: Promise<void> | undefined
  let isWoken = false
  let isStopped = false
  let failures = 0
  let problem: unknown

  const runOnce = async (): Promise<void> => {
    isWoken = false
    try {
      await round(() => {
        failures = 0
      })
      failures = 0
      problem = undefined
    } catch (error) {
      problem = error
      failures += 1
    }
  }
  const run = (): void => {
    clearTimeout(timer)
    if (isStopped || running !== undefined) return
    running = runInRoot(runOnce).finally(() => {
      running = undefined
      if (isStopped) return
      const wait = failures > 0 ? backoff(failures, { base: 100, max: 10_000 }) : 0
      if (isWoken && failures === 0) run()
      else timer = unrefTimer(setTimeout(run, jitter(interval) + wait))
    })
  }
  timer = unrefTimer(setTimeout(run, jitter(interval)))

  return {
    wake() {
      isWoken = true
      run()
    },
    get problem() {
      return problem
    },
    async stop() {
      isStopped = true
      clearTimeout(timer)
      await running
    },
  }
}
