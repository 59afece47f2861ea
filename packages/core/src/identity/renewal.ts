import type { AbortOptions, Health } from '../component/component.ts'
import { createEventFeed, type EventFeed } from '../component/event-feed.ts'
import { abortable } from '../component/promises.ts'
import { backoff, unrefTimer } from '../component/timing.ts'
import { runInRoot } from '../context/ambient.ts'
import { MicroError } from '../errors/micro-error.ts'

/** Something that holds for a time. */
export interface Lease<T> {
  readonly value: T
  /** Milliseconds since 1970; `undefined` if it does not lapse. */
  readonly expiresAt: number | undefined
}

export interface RenewalOptions<T> {
  /** For errors and health: `token of identity "memory"`. */
  readonly subject: string
  /** Gets a new one. The signal aborts when it is given up. */
  readonly issue: (options: { readonly signal: AbortSignal }) => Promise<Lease<T>>
  /** Milliseconds that one attempt may take. @default 10000 */
  readonly timeout?: number
}

/** Keeps one value fresh: a token, a certificate. */
export interface Renewal<T> {
  /** The value, which is valid now: a new one is waited for if need be. @throws `unavailable` */
  get(options?: AbortOptions): Promise<T>
  /** The last one, valid or not. */
  latest(): T | undefined
  /** Each new one from now on. */
  watch(): AsyncIterable<T>
  health(): Health
  stop(): void
}

const longestTimer = 2 ** 31 - 1

/**
 * Renews at two thirds of the life, a little earlier by chance so that a fleet does not do so at once.
 * A failure is tried again with back-off, and the old value serves as long as it is valid. Callers
 * that come meanwhile share one attempt, which runs outside of their contexts.
 */
export function createRenewal<T>(options: RenewalOptions<T>): Renewal<T> {
  const { subject, issue, timeout = 10_000 } = options
  const feeds = new Set<EventFeed<T>>()
  let lease: Lease<T> | undefined
  let renewing: Promise<Lease<T>> | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let failures = 0
  let failure: string | undefined
  let giveUp: AbortController | undefined
  let stopped = false

  const attempt = async (): Promise<Lease<T>> => {
    const given = new AbortController()
    giveUp = given
    const late = unrefTimer(
      setTimeout(() => {
        given.abort(new MicroError('unavailable', `${subject}: no answer within ${timeout} ms`))
      }, timeout),
    )
    try {
      const next = await abortable(issue({ signal: given.signal }), given.signal)
      if (stopped) throw closed(subject)
      lease = next
      failures = 0
      failure = undefined
      schedule(next)
      for (const feed of feeds) feed.push(next.value)
      return next
    } catch (error) {
      failure = MicroError.is(error) ? error.detail : String(error)
      failures += 1
      if (!stopped) again(50 + backoff(failures, { base: 50, max: 10_000 }))
      throw error
    } finally {
      clearTimeout(late)
      renewing = undefined
    }
  }
  const renew = (): Promise<Lease<T>> => {
    renewing ??= runInRoot(attempt)
    return renewing
  }
  const again = (wait: number): void => {
    clearTimeout(timer)
    timer = unrefTimer(
      setTimeout(
        () => {
          // Its failure is in `health`, and has set the next attempt.
          if (wait <= longestTimer) renew().catch(() => undefined)
          else again(wait - longestTimer)
        },
        Math.min(wait, longestTimer),
      ),
    )
  }
  const schedule = ({ expiresAt }: Lease<T>): void => {
    if (expiresAt === undefined) return
    const life = Math.max(0, expiresAt - Date.now())
    again(life * (2 / 3) * (1 - Math.random() / 20))
  }
  const isValid = (): boolean =>
    lease !== undefined && (lease.expiresAt === undefined || lease.expiresAt > Date.now())

  return {
    async get(getOptions) {
      getOptions?.signal?.throwIfAborted()
      if (stopped) throw closed(subject)
      if (lease !== undefined && isValid()) return lease.value
      try {
        return (await abortable(renew(), getOptions?.signal)).value
      } catch (error) {
        getOptions?.signal?.throwIfAborted()
        if (stopped) throw closed(subject)
        const why = MicroError.is(error) ? error.detail : String(error)
        throw new MicroError('unavailable', `${subject}: none can be had: ${why}`, { cause: error })
      }
    },
    latest: () => lease?.value,
    watch() {
      const feed = createEventFeed<T>({
        // Only the newest is of use.
        keyOf: () => '',
        overflow: undefined as T,
        onClose: () => feeds.delete(feed),
      })
      feeds.add(feed)
      if (stopped) feed.end()
      return feed.watcher
    },
    health() {
      if (stopped) return { status: 'down' }
      if (failure === undefined) return { status: 'up' }
      return isValid()
        ? { status: 'degraded', detail: `${subject} cannot be renewed: ${failure}` }
        : { status: 'down', detail: `${subject}: none can be had: ${failure}` }
    },
    stop() {
      stopped = true
      clearTimeout(timer)
      giveUp?.abort(closed(subject))
      for (const feed of feeds) feed.end()
    },
  }
}

function closed(subject: string): MicroError {
  return new MicroError('failed_precondition', `${subject}: the identity is closed`)
}
