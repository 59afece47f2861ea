import { unrefTimer } from '@micro/core/component'
import type { SqliteFile } from '@micro/sqlite-file'
import type { Statements } from './places.ts'

/** Tells all who wait of changes, by one look at the file for all of them. */
export interface Waiting {
  /** Calls `listener` after each change of the file, by whichever process, until the result is called. */
  follow(listener: () => void): () => void
}

export function createWaiting(file: SqliteFile<Statements>): Waiting {
  const listeners = new Set<() => void>()
  let unfollow: (() => void) | undefined
  return {
    follow(listener) {
      listeners.add(listener)
      unfollow ??= file.follow(() => {
        for (const one of listeners) one()
      })
      return () => {
        listeners.delete(listener)
        if (listeners.size > 0) return
        unfollow?.()
        unfollow = undefined
      }
    },
  }
}

/** Resolves when told to, at the latest after some milliseconds; rejects with the signal's reason. */
export interface Alarm {
  ring(): void
  next(milliseconds: number, signal: AbortSignal): Promise<void>
}

/** @param keepAlive Whether the process stays for it: somebody awaits what comes next. */
export function createAlarm(keepAlive: boolean): Alarm {
  let rung = false
  let wake: (() => void) | undefined
  return {
    ring() {
      rung = true
      wake?.()
    },
    next: (milliseconds, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        const end = (): void => {
          clearTimeout(timer)
          signal.removeEventListener('abort', onAbort)
          wake = undefined
          rung = false
        }
        const onAbort = (): void => {
          end()
          reject(signal.reason)
        }
        wake = () => {
          end()
          resolve()
        }
        const timer = setTimeout(() => wake?.(), Math.min(milliseconds, 2 ** 31 - 1))
        if (!keepAlive) unrefTimer(timer)
        signal.addEventListener('abort', onAbort, { once: true })
        if (rung) wake()
      }),
  }
}
