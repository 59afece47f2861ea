import { setImmediate } from 'node:timers/promises'
import type { AbortOptions } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'

interface Job {
  readonly work: () => unknown
  readonly durable: boolean
  readonly bytes: number
  readonly resolve: (value: unknown) => void
  readonly reject: (reason: unknown) => void
}

export interface GroupHooks {
  /** Runs its argument when no other process is in the way, and tries again until it is not. */
  readonly whenFree: (work: () => void) => Promise<void>
  readonly begin: (durable: boolean) => void
  readonly commit: () => void
  readonly rollback: () => void
  /** Some of the work was committed, and wrote so much. */
  readonly committed: (bytes: number) => void
  readonly translate: (error: unknown) => MicroError
}

interface WorkOptions extends AbortOptions {
  readonly durable: boolean
  /** What it writes, roughly. */
  readonly bytes: number
}

/** Puts all work of one turn of the event loop into one transaction: many writes, one flush of the disk. */
export interface Group {
  /**
   * Work may run more than once, until it is committed. A `MicroError` that it throws is its own, and must
   * come before it has changed anything; with any other error the transaction is undone. Once it has run,
   * `signal` has no say any more.
   */
  add<T>(work: () => T, options: WorkOptions): Promise<T>
  /** Resolves once nothing waits. */
  idle(): Promise<void>
}

/** Milliseconds after which a transaction takes no more work, so that the event loop turns. */
const slice = 10

export function createGroup(hooks: GroupHooks): Group {
  let waiting: Job[] = []
  /** How many are to be done one by one, since they failed together. */
  let alone = 0
  let running: Promise<void> | undefined

  const transact = (): void => {
    const jobs = waiting
    if (jobs.length === 0) return
    hooks.begin(jobs.some((job) => job.durable))
    const until = performance.now() + slice
    const most = alone > 0 ? 1 : jobs.length
    const settle: (() => void)[] = []
    let done = 0
    let bytes = 0
    try {
      while (done < most && (done === 0 || performance.now() < until)) {
        const job = jobs[done++] as Job
        try {
          const value = job.work()
          bytes += job.bytes
          settle.push(() => job.resolve(value))
        } catch (error) {
          if (!MicroError.is(error)) throw error
          settle.push(() => job.reject(error))
        }
      }
      hooks.commit()
    } catch (error) {
      hooks.rollback()
      if (done > 1) {
        // Which of them it was is not known: none shall suffer for another.
        alone = done
        return
      }
      alone = Math.max(0, alone - 1)
      waiting = jobs.slice(done)
      jobs[0]?.reject(hooks.translate(error))
      return
    }
    alone = Math.max(0, alone - done)
    waiting = jobs.slice(done)
    for (const one of settle) one()
    if (bytes > 0) hooks.committed(bytes)
  }
  const run = async (): Promise<void> => {
    while (waiting.length > 0) {
      // All that is asked for in this turn comes along.
      await setImmediate()
      try {
        await hooks.whenFree(transact)
      } catch (error) {
        const failed = hooks.translate(error)
        for (const job of waiting.splice(0)) job.reject(failed)
      }
    }
    running = undefined
  }

  const withdraw = (job: Job): boolean => {
    const at = waiting.indexOf(job)
    if (at < 0) return false
    waiting = waiting.toSpliced(at, 1)
    // Those that failed together stand first.
    if (at < alone) alone -= 1
    return true
  }

  return {
    add: <T>(work: () => T, { durable, bytes, signal }: WorkOptions) =>
      new Promise<T>((resolve, reject) => {
        if (signal?.aborted === true) return reject(signal.reason)
        const end = (): void => signal?.removeEventListener('abort', onAbort)
        const job: Job = {
          work,
          durable,
          bytes,
          resolve(value) {
            end()
            resolve(value as T)
          },
          reject(reason) {
            end()
            reject(reason)
          },
        }
        // What has been taken up is done by the time that anybody can abort it.
        const onAbort = (): void => {
          if (withdraw(job)) job.reject(signal?.reason)
        }
        signal?.addEventListener('abort', onAbort, { once: true })
        waiting.push(job)
        running ??= runInRoot(run)
      }),
    async idle() {
      while (running !== undefined) await running
    },
  }
}
