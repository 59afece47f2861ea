import { MicroError } from '@micro/core/errors'
import {
  type EtcdConnection,
  type EtcdLease,
  grantLease,
  renewLease,
  revokeLease,
} from '@micro/etcd-client'

interface AnnounceOptions {
  readonly key: string
  readonly value: string
  /** Milliseconds. */
  readonly ttl: number
}

/** What this instance has registered, with a lease for each. */
export interface Announcements {
  /**
   * Makes etcd say `value` for at least `ttl` from now on. What it says already is not written again,
   * so that nobody is told of a renewal.
   */
  put(options: AnnounceOptions): Promise<void>
  remove(key: string): Promise<void>
  /** Resolves once nothing is under way. */
  idle(): Promise<void>
}

/**
 * One lease for each record: two nodes may be renewed apart, and one that is not must lapse though the
 * other lives on.
 */
export function createAnnouncements(connection: EtcdConnection): Announcements {
  const leases = new Map<string, EtcdLease>()
  const tails = new Map<string, Promise<void>>()

  /** One after the other for each key, so that a slow write does not bring back what was removed. */
  const inTurn = (key: string, work: () => Promise<void>): Promise<void> => {
    const result = (tails.get(key) ?? Promise.resolve()).then(work)
    const tail = result
      // For its caller to see.
      .catch(() => undefined)
      .then(() => {
        if (tails.get(key) === tail) tails.delete(key)
      })
    tails.set(key, tail)
    return result
  }

  const put = async ({ key, value, ttl }: AnnounceOptions): Promise<void> => {
    // Renewals come each third of the ttl; an attempt that takes longer is of no use.
    const timeout = Math.max(500, Math.min(connection.timeout, ttl / 3))
    const held = leases.get(key)
    // One that has ended by its own clock is not asked for: after an outage all ask at once.
    let former = held !== undefined && held.since + held.ttl > performance.now() ? held : undefined
    if (former !== undefined && isFor(former, ttl)) {
      try {
        const renewed = await renewLease(connection, former, { timeout })
        leases.set(key, renewed)
        await putUnlessThere(connection, key, value, renewed, timeout)
        return
      } catch (error) {
        // Revoked by hand, or etcd has lost its data.
        if (!MicroError.is(error, 'not_found')) throw error
        leases.delete(key)
        former = undefined
      }
    }
    const lease = await grantLease(connection, ttl, { timeout })
    await putUnlessThere(connection, key, value, lease, timeout)
    leases.set(key, lease)
    // Its record has moved to the new lease, and does not go with it.
    if (former !== undefined) await revokeLease(connection, former, { timeout })
  }

  return {
    put: (options) => inTurn(options.key, () => put(options)),
    remove: (key) =>
      inTurn(key, async () => {
        const held = leases.get(key)
        await connection.request(
          (client, options) => client.kv.deleteRange({ key: Buffer.from(key) }, options),
          { repeatable: true },
        )
        leases.delete(key)
        if (held !== undefined) await revokeLease(connection, held)
      }),
    async idle() {
      await Promise.all(tails.values())
    },
  }
}

/** etcd counts in seconds, and may give more than was asked for. */
function isFor(lease: EtcdLease, ttl: number): boolean {
  return lease.requested === Math.ceil(ttl / 1_000)
}

/** Also confirms, by a majority, that the record is there: a leader renews leases on its own word. */
async function putUnlessThere(
  connection: EtcdConnection,
  key: string,
  value: string,
  lease: EtcdLease,
  timeout: number,
): Promise<void> {
  const name = Buffer.from(key)
  const bytes = Buffer.from(value)
  await connection.request(
    (client, options) =>
      client.kv.txn(
        {
          compare: [
            { key: name, target: 'Value', result: 'Equal', value: bytes },
            { key: name, target: 'Lease', result: 'Equal', lease: lease.id },
          ],
          failure: [{ request_put: { key: name, value: bytes, lease: lease.id } }],
        },
        options,
      ),
    { timeout, repeatable: true },
  )
}
