/** A value now or later. Contracts on the call path use it so that memory need not allocate. */
export type Awaitable<T> = T | PromiseLike<T>

export function isPromise<T>(value: Awaitable<T>): value is PromiseLike<T> {
  return (
    value !== null &&
    (typeof value === 'object' || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  )
}

/**
 * Waits for shared work without owning it: an abort ends this wait and leaves the work running.
 *
 * Rejects with `signal.reason`, untouched.
 */
export function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  if (signal.aborted) {
    // Its failure has no one else to hear it here, as it has none after an abort further on.
    work.catch(() => undefined)
    return Promise.reject(signal.reason)
  }
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    const settle = (): void => signal.removeEventListener('abort', onAbort)
    work.then(resolve, reject).finally(settle)
  })
}
