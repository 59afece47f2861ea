import { unrefTimer } from '../component/timing.ts'
import { runInRoot } from '../context/ambient.ts'
import { MicroError } from '../errors/micro-error.ts'

export interface LeaseKeeperOptions {
  /** For errors: `lock "orders"`. */
  readonly subject: string
  /** Milliseconds for which each renewal holds at the backend. */
  readonly ttl: number
  /** When the request that got the lease was sent, on the clock of `performance.now()`. */
  readonly since: number
  /**
   * Asks the backend for another `ttl`, and has it confirmed that the lease is still this holder's.
   * Rejects with `aborted` if it is not; any other failure is tried again while there is time.
   */
  readonly renew: (options: { signal: AbortSignal }) => Promise<void>
}

export interface LeaseKeeper {
  /** Aborts with `aborted` when the lease is gone, or may be soon and could not be renewed. */
  readonly lost: AbortSignal
  /** Ends the renewals, without a loss. */
  stop(): void
}

/**
 * Keeps a lease alive: renews it each third of its ttl, and calls it lost a tenth of the ttl before
 * the backend can have let it lapse, counted from when the last good renewal was *sent*.
 */
export function createLeaseKeeper(options: LeaseKeeperOptions): LeaseKeeper {
  const { subject, ttl, renew } = options
  const lost = new AbortController()
  const stopping = new AbortController()
  let validUntil = options.since + ttl * 0.9
  let renewal: ReturnType<typeof setTimeout> | undefined
  let expiry: ReturnType<typeof setTimeout> | undefined

  const stop = (): void => {
    clearTimeout(renewal)
    clearTimeout(expiry)
    if (!stopping.signal.aborted) stopping.abort(new Error('the lease is no longer kept'))
  }
  const lose = (why: string, cause?: unknown): void => {
    if (stopping.signal.aborted) return
    stop()
    lost.abort(new MicroError('aborted', `${subject} is lost: ${why}`, { cause }))
  }
  const watch = (): void => {
    clearTimeout(expiry)
    expiry = unrefTimer(
      setTimeout(
        () => lose('it was not renewed in time'),
        Math.max(0, validUntil - performance.now()),
      ),
    )
  }
  const attempt = async (): Promise<void> => {
    const sent = performance.now()
    try {
      await renew({ signal: stopping.signal })
      if (stopping.signal.aborted) return
      // Came back after the time was over: another may have been holder in between.
      if (performance.now() >= validUntil) return lose('it was not renewed in time')
      validUntil = sent + ttl * 0.9
      watch()
      schedule(ttl / 3)
    } catch (error) {
      if (MicroError.is(error, 'aborted')) lose(error.detail, error)
      else if (!stopping.signal.aborted) schedule(ttl / 10)
    }
  }
  const schedule = (wait: number): void => {
    renewal = unrefTimer(setTimeout(() => void attempt(), wait))
  }

  // Outside the call that took the lock, which the renewals outlive.
  runInRoot(() => {
    watch()
    schedule(ttl / 3)
  })
  return { lost: lost.signal, stop }
}
