import { unrefTimer } from '@micro/core/component'

interface WaitOptions {
  /** Whose closing ends the wait. */
  readonly owner: object
  readonly signal: AbortSignal | undefined
  /** @default for ever */
  readonly milliseconds?: number
  /** Ends the wait early. */
  readonly until?: Promise<void>
}

/** Calls that are held back. Each wait ends by itself, by its signal, or with its owner. */
export interface Waits {
  wait(options: WaitOptions): Promise<void>
  /** Ends those of `owner`, or all of them, with `error`. */
  end(error: unknown, owner?: object): void
}

export function createWaits(): Waits {
  const waiting = new Map<(error: unknown) => void, object>()
  return {
    wait: ({ owner, signal, milliseconds, until }) =>
      new Promise((resolve, reject) => {
        const end = (): void => {
          clearTimeout(timer)
          signal?.removeEventListener('abort', onAbort)
          waiting.delete(fail)
        }
        const pass = (): void => {
          end()
          resolve()
        }
        const fail = (error: unknown): void => {
          end()
          reject(error)
        }
        const onAbort = (): void => fail(signal?.reason)
        const timer =
          milliseconds === undefined ? undefined : unrefTimer(setTimeout(pass, milliseconds))
        waiting.set(fail, owner)
        signal?.addEventListener('abort', onAbort, { once: true })
        until?.then(pass, pass)
        if (signal?.aborted === true) onAbort()
      }),
    end(error, owner) {
      for (const [fail, of] of [...waiting]) if (owner === undefined || of === owner) fail(error)
    },
  }
}
