import { MicroError } from '@micro/core/errors'
import { type EtcdConnection, grantLease } from '@micro/etcd-client'

/** A lease for records to end with. */
interface Expiry {
  readonly lease: string
  /** Milliseconds since 1970 at which it ends. */
  readonly expiresAt: number
}

export interface Expiries {
  /** A lease that lasts for `ttl` milliseconds from now at least, and a second more at most. */
  of(ttl: number, signal: AbortSignal | undefined): Promise<Expiry>
  /**
   * Does `work`, and once more if a lease that it used has been revoked meanwhile.
   *
   * @throws `unavailable` if that happens twice.
   */
  use<T>(work: () => Promise<T>): Promise<T>
}

interface Shared extends Expiry {
  /** On the clock of `performance.now()`. */
  readonly until: number
}

/** So many are remembered; each is of use for less than a second. */
const mostRemembered = 100

/**
 * Records written within a second and with one ttl share a lease, for leases are dear: each is kept by
 * every member and written down by a majority. It is safe, because a shared lease is never revoked, nor
 * renewed: an overwritten or deleted record just leaves it.
 */
export function createExpiries(connection: EtcdConnection): Expiries {
  const leases = new Map<number, Promise<Shared>>()

  const grant = async (seconds: number): Promise<Shared> => {
    const { id, ttl, since } = await grantLease(connection, seconds * 1_000)
    const until = since + ttl
    const expiresAt = Math.round(Date.now() + until - performance.now())
    return { lease: id, until, expiresAt }
  }

  return {
    async of(ttl, signal) {
      // A whole second more than fits, so that there is some time left to share it.
      const seconds = Math.floor(ttl / 1_000) + 1
      for (;;) {
        signal?.throwIfAborted()
        const known = leases.get(seconds)
        const granted = known ?? grant(seconds)
        if (known === undefined) {
          leases.set(seconds, granted)
          granted.catch(() => leases.delete(seconds))
          for (const oldest of leases.keys()) {
            if (leases.size > mostRemembered) leases.delete(oldest)
          }
        }
        const shared = await granted
        // One that was just asked for is as good as it gets, however slow the answer was.
        if (known === undefined || shared.until >= performance.now() + ttl) return shared
        if (leases.get(seconds) === known) leases.delete(seconds)
      }
    },
    async use(work) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await work()
        } catch (error) {
          if (!MicroError.is(error, 'not_found')) throw error
          if (attempt === 2) {
            throw new MicroError('unavailable', error.detail, { cause: error, processed: 'no' })
          }
          leases.clear()
        }
      }
    },
  }
}
