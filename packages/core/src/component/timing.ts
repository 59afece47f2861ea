/** `milliseconds` ± `spread` of it, so that many clients do not act at the same moment. */
export function jitter(milliseconds: number, spread = 0.2): number {
  return milliseconds * (1 - spread + Math.random() * 2 * spread)
}

/**
 * Exponential back-off with full jitter: a random wait in `[0, min(max, base · 2^attempt)]`.
 *
 * Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export function backoff(attempt: number, options: { base: number; max: number }): number {
  return Math.random() * Math.min(options.max, options.base * 2 ** attempt)
}

export interface SleepOptions {
  readonly signal?: AbortSignal | undefined
  /** Keeps the process alive meanwhile; for waits that are part of shutting down. @default false */
  readonly keepAlive?: boolean
}

/** Resolves after `milliseconds`; rejects with `signal.reason`. */
export function sleep(milliseconds: number, options: SleepOptions = {}): Promise<void> {
  const { signal } = options
  return new Promise<void>((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason)
    const onAbort = (): void => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, milliseconds)
    if (options.keepAlive !== true) unrefTimer(timer)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** Lets the process end although `timer` is pending; browsers have no `unref`. */
export function unrefTimer<T>(timer: T): T {
  ;(timer as { unref?: () => void }).unref?.()
  return timer
}
