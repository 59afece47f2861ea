import type { AbortOptions } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { EtcdCallOptions, EtcdClient } from './client.ts'
import type { EtcdConnection } from './connection.ts'

/** etcd's own clock for keys: they go when it ends. */
export interface EtcdLease {
  readonly id: string
  /** Seconds that were asked for. */
  readonly requested: number
  /** Milliseconds that it lasts from each renewal: what was asked for, or more. */
  readonly ttl: number
  /**
   * When the request that got it or renewed it was *sent*, on the clock of `performance.now()`: it
   * lasts until `ttl` after that at least, however long the answer took.
   */
  readonly since: number
  /** Term of raft in which it was got or renewed. */
  readonly term: string
}

export interface LeaseOptions extends AbortOptions {
  /** Milliseconds for each host. @default that of the options */
  readonly timeout?: number
}

/**
 * Gets a lease of at least `duration` milliseconds, which etcd counts in seconds. If the answer gets lost
 * another may be asked for, and the first ends by itself.
 */
export async function grantLease(
  connection: EtcdConnection,
  duration: number,
  options: LeaseOptions = {},
): Promise<EtcdLease> {
  const requested = Math.ceil(duration / 1_000)
  let since = performance.now()
  const answer = await connection.request(
    (client, callOptions) => {
      since = performance.now()
      return client.leaseClient.leaseGrant({ TTL: requested }, callOptions)
    },
    { ...options, repeatable: true },
  )
  const ttl = Number(answer.TTL) * 1_000
  return { id: answer.ID, requested, ttl, since, term: answer.header.raft_term }
}

/**
 * Renews a lease. etcd's leader does this on its own word, though it may lead no more: who must be sure
 * reads something afterwards, which needs a majority, and looks that it is answered in the same `term`:
 * the next leader counts from when it was elected.
 *
 * @throws `not_found` if it has ended.
 */
export async function renewLease(
  connection: EtcdConnection,
  lease: EtcdLease,
  options: LeaseOptions = {},
): Promise<EtcdLease> {
  let since = performance.now()
  const { ttl, term } = await connection.request(
    (client, callOptions) => {
      since = performance.now()
      return keepAlive(client, lease.id, callOptions)
    },
    { ...options, repeatable: true },
  )
  if (ttl > 0) return { ...lease, ttl: ttl * 1_000, since, term }
  throw new MicroError('not_found', `etcd at ${connection.host}: the lease has ended`)
}

/** Ends a lease, and its keys with it. One that has ended is no error. */
export async function revokeLease(
  connection: EtcdConnection,
  lease: Pick<EtcdLease, 'id'>,
  options: LeaseOptions = {},
): Promise<void> {
  try {
    await connection.request(
      (client, callOptions) => client.leaseClient.leaseRevoke({ ID: lease.id }, callOptions),
      { ...options, repeatable: true },
    )
  } catch (error) {
    if (!MicroError.is(error, 'not_found')) throw error
  }
}

/** One request and one answer, each time on a stream of its own, so that it goes where etcd answers. */
async function keepAlive(
  client: EtcdClient,
  id: string,
  callOptions: EtcdCallOptions,
): Promise<{ readonly ttl: number; readonly term: string }> {
  const stream = await client.leaseClient.leaseKeepAlive(callOptions)
  return await new Promise((resolve, reject) => {
    stream.on('data', (answer) => {
      stream.end()
      resolve({ ttl: Number(answer.TTL), term: answer.header.raft_term })
    })
    stream.on('error', reject)
    stream.on('end', () => reject(new Error('14 UNAVAILABLE: the stream has ended unanswered')))
    stream.write({ ID: id })
  })
}
