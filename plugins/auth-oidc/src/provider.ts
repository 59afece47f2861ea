import { backoff, jitter, unrefTimer } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import { type Discovered, discover } from './discover.ts'
import type { Settings } from './options.ts'

export interface Known extends Discovered {
  /** Changes when the keys do. */
  readonly generation: number
}

/** What is known of the provider: asked for when first needed, then kept fresh. */
export interface Provider {
  /**
   * The last known, which stays good for `keyMaxAge` while no other can be had.
   *
   * @throws `unavailable` while nothing is known
   */
  current(): Promise<Known>
  /** Whether there are others than those keys: asks, unless that was done within `keyCooldown`. */
  renew(generation: number): Promise<boolean>
  /** Whether something is known that is not too old. */
  readonly usable: boolean
  readonly generation: number | undefined
  /** Why nothing new could be had the last time. */
  readonly failure: string | undefined
  stop(): Promise<void>
}

export function createProvider(settings: Settings): Provider {
  const { issuer, keyInterval, keyCooldown, keyMaxAge, logger } = settings
  const stopped = new AbortController()
  let known: Known | undefined
  let loading: Promise<void> | undefined
  let knownAt = Number.NEGATIVE_INFINITY
  let askedAt = Number.NEGATIVE_INFINITY
  let retryAt = Number.NEGATIVE_INFINITY
  let failures = 0
  let failure: string | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  const isUsable = (): boolean => known !== undefined && performance.now() - knownAt < keyMaxAge
  const schedule = (wait: number): void => {
    clearTimeout(timer)
    if (!stopped.signal.aborted) timer = unrefTimer(setTimeout(load, wait))
  }
  /** Never rejects: what it fails with is kept for those who ask. */
  const loadOnce = async (): Promise<void> => {
    askedAt = performance.now()
    try {
      const next = await discover(settings, stopped.signal)
      const { generation = 0, keysText } = known ?? {}
      known = { ...next, generation: next.keysText === keysText ? generation : generation + 1 }
      knownAt = performance.now()
      failures = 0
      failure = undefined
      schedule(jitter(keyInterval))
    } catch (error) {
      failure = MicroError.is(error) ? error.detail : String(error)
      failures += 1
      const wait = 100 + backoff(failures, { base: 100, max: 10_000 })
      retryAt = performance.now() + wait
      schedule(wait)
      if (!stopped.signal.aborted)
        logger?.log('warn', 'the provider cannot be read', { issuer, error })
    } finally {
      loading = undefined
    }
  }
  const load = (): Promise<void> => {
    loading ??= runInRoot(loadOnce)
    return loading
  }

  return {
    async current() {
      // While a provider is away, not every caller waits for it to time out.
      if (!isUsable() && (loading !== undefined || performance.now() >= retryAt)) await load()
      stopped.signal.throwIfAborted()
      if (known !== undefined && isUsable()) return known
      const which = known === undefined ? 'no keys can be had' : 'its keys are too old (keyMaxAge)'
      throw new MicroError('unavailable', `issuer ${issuer}: ${which}: ${failure}`, {
        retryAfter: Math.max(0, Math.ceil(retryAt - performance.now())),
      })
    },
    async renew(generation) {
      // Others may have asked while the token was looked at.
      const due = loading !== undefined || performance.now() - askedAt >= keyCooldown
      if (known?.generation === generation && due) await load()
      stopped.signal.throwIfAborted()
      return known?.generation !== generation
    },
    get usable() {
      return isUsable()
    },
    get generation() {
      return known?.generation
    },
    get failure() {
      return failure
    },
    async stop() {
      clearTimeout(timer)
      stopped.abort(new MicroError('failed_precondition', 'auth "oidc" is closed'))
      await loading
    },
  }
}
