import { type AbortOptions, abortable, backoff, sleep } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import { createLeaseKeeper } from '@micro/core/sync'
import {
  type EtcdConnection,
  type EtcdLease,
  followRange,
  grantLease,
  keysBelow,
  oneKey,
  readPage,
  renewLease,
  revokeLease,
} from '@micro/etcd-client'

export interface Queue {
  readonly connection: EtcdConnection
  /** Of the keys of all who queue; ends in a slash. */
  readonly prefix: string
  /** For errors: `lock "orders"`. */
  readonly subject: string
}

/** A place in a queue: a key that lives and dies with a lease. Whose key is the oldest is first. */
export interface Place {
  /** When the key was created, in etcd's history: greater than that of every earlier one. */
  readonly token: bigint
  /** Aborts before the key can have gone. */
  readonly lost: AbortSignal
  /**
   * Waits until it is first. `false` if the place was lost meanwhile.
   *
   * Rejects with the signal's reason.
   */
  turn(options: { readonly signal: AbortSignal }): Promise<boolean>
  /** Whether it is first now. `undefined` if it was lost. */
  isFirst(options: AbortOptions): Promise<boolean | undefined>
  /** Idempotent. @throws `unavailable`: the key goes by itself then, when the lease ends. */
  leave(options?: AbortOptions): Promise<void>
}

export interface PlaceOptions {
  /** What others see of who is there. */
  readonly id: string
  /** Milliseconds. */
  readonly ttl: number
  readonly signal: AbortSignal
  /** Work that nobody waits for, until the sync is closed. */
  readonly later: (work: Promise<void>) => void
}

/** Whether nobody has a place. */
export async function isEmpty(
  { connection, prefix }: Queue,
  options: AbortOptions,
): Promise<boolean> {
  const range = keysBelow(prefix)
  const { entries } = await readPage(connection, range, { ...options, limit: 1, keysOnly: true })
  return entries.length === 0
}

/**
 * Takes the place at the end, and keeps it until it is left.
 *
 * @throws `unavailable`
 */
export async function takePlace(queue: Queue, options: PlaceOptions): Promise<Place> {
  const { connection, prefix, subject } = queue
  const { id, ttl, signal, later } = options
  signal.throwIfAborted()
  const granting = grantLease(connection, ttl)
  const lease = await abortable(granting, signal).catch((error: unknown) => {
    // Nobody waits for it any more, and it would last for as long as the ttl.
    if (signal.aborted) later(granting.then((late) => revokeLease(connection, late)))
    throw error
  })
  const key = `${prefix}${lease.id}`
  let left: Promise<void> | undefined
  const leave = async (leaveOptions?: AbortOptions): Promise<void> => {
    keeper?.stop()
    left ??= revokeLease(connection, lease, leaveOptions)
    await left.catch((error: unknown) => {
      left = undefined
      throw error
    })
  }
  let keeper: ReturnType<typeof createLeaseKeeper> | undefined
  let token: bigint
  try {
    token = await createKey(connection, key, id, lease, signal)
  } catch (error) {
    // It may have been created all the same.
    later(leave())
    throw error
  }
  const kept = createLeaseKeeper({
    subject,
    ttl: lease.ttl,
    since: lease.since,
    renew: (renewOptions) => renew(queue, { key, token, lease }, renewOptions),
  })
  keeper = kept
  // Gives free what may still be there, so that nobody has to wait for the end of the lease.
  kept.lost.addEventListener('abort', () => later(leave()), { once: true })

  const before = async (beforeOptions: AbortOptions): Promise<string | null | undefined> =>
    await predecessorOf(queue, { key, token }, beforeOptions)
  return {
    token,
    lost: kept.lost,
    leave,
    async isFirst(firstOptions) {
      const predecessor = await before(firstOptions)
      return predecessor === undefined ? undefined : predecessor === null
    },
    async turn({ signal: waiting }) {
      const either = AbortSignal.any([waiting, kept.lost])
      for (let failures = 0; ; ) {
        try {
          const predecessor = await before({ signal: either })
          failures = 0
          if (predecessor === undefined) return false
          if (predecessor === null) return true
          await gone(connection, predecessor, either)
        } catch (error) {
          waiting.throwIfAborted()
          if (kept.lost.aborted) return false
          // The place is kept through an outage as long as its lease is.
          if (!MicroError.is(error, 'unavailable')) throw error
          await sleep(20 + backoff(failures++, { base: 50, max: 1_000 }), {
            signal: either,
          }).catch(() => undefined)
        }
      }
    },
  }
}

/** When etcd created the key. It is asked for in the same breath, should the first answer be lost. */
async function createKey(
  connection: EtcdConnection,
  key: string,
  id: string,
  lease: EtcdLease,
  signal: AbortSignal,
): Promise<bigint> {
  const name = Buffer.from(key)
  const { succeeded, header, responses } = await connection.request(
    (client, options) =>
      client.kv.txn(
        {
          compare: [{ key: name, target: 'Create', result: 'Equal', create_revision: 0 }],
          success: [{ request_put: { key: name, value: Buffer.from(id), lease: lease.id } }],
          failure: [{ request_range: { key: name } }],
        },
        options,
      ),
    { signal, repeatable: true },
  )
  const there = responses[0]?.response_range?.kvs[0]?.create_revision
  return BigInt(succeeded || there === undefined ? header.revision : there)
}

interface Key {
  readonly key: string
  readonly token: bigint
}

/**
 * The key that must go before this one is first; `null` if it is first, `undefined` if it is no more.
 * Both are read at one moment, by a majority of etcd's members.
 */
async function predecessorOf(
  { connection, prefix }: Queue,
  { key, token }: Key,
  { signal }: AbortOptions,
): Promise<string | null | undefined> {
  const range = keysBelow(prefix)
  const { succeeded, responses } = await connection.request(
    (client, options) =>
      client.kv.txn(
        {
          compare: [
            {
              key: Buffer.from(key),
              target: 'Create',
              result: 'Equal',
              create_revision: String(token),
            },
          ],
          success: [
            {
              request_range: {
                key: range.key,
                ...(range.end === undefined ? {} : { range_end: range.end }),
                max_create_revision: String(token - 1n),
                sort_target: 'Create',
                sort_order: 'Descend',
                limit: 1,
                keys_only: true,
              },
            },
          ],
        },
        options,
      ),
    { signal, repeatable: true },
  )
  if (!succeeded) return undefined
  return responses[0]?.response_range.kvs[0]?.key.toString() ?? null
}

/** Resolves when a key is not there any more. It never comes back: it has a lease's id in its name. */
async function gone(connection: EtcdConnection, key: string, signal: AbortSignal): Promise<void> {
  const absent = Promise.withResolvers<void>()
  const followed = followRange(connection, {
    range: oneKey(key),
    onReset: (entries) => {
      if (entries.size === 0) absent.resolve()
    },
    onPut: () => undefined,
    onDelete: () => absent.resolve(),
  })
  const onAbort = (): void => absent.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  followed.started({ signal }).catch(absent.reject)
  try {
    signal.throwIfAborted()
    await absent.promise
  } finally {
    signal.removeEventListener('abort', onAbort)
    followed.stop()
  }
}

/**
 * Renews the lease and then looks at the key. A leader that has been cut off renews leases on its own
 * word for a while, but cannot read: the look needs a majority. If another member answers it, under a
 * leader that was elected meanwhile, that one knows nothing of the renewal, which then does not count.
 *
 * @throws `aborted` if the place is lost.
 */
async function renew(
  { connection }: Queue,
  { key, token, lease }: Key & { readonly lease: EtcdLease },
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  // Twice this must be over well before the lease is, so that another host can be asked in time.
  const timeout = Math.min(connection.timeout, Math.max(100, lease.ttl / 5))
  let term: string
  try {
    ;({ term } = await renewLease(connection, lease, { signal, timeout }))
  } catch (error) {
    if (!MicroError.is(error, 'not_found')) throw error
    throw new MicroError('aborted', 'its lease has ended', { cause: error })
  }
  const answer = await connection.request(
    (client, options) => client.kv.range({ key: Buffer.from(key), keys_only: true }, options),
    { signal, timeout, repeatable: true },
  )
  if (answer.kvs[0]?.create_revision !== String(token)) {
    throw new MicroError('aborted', 'its key has gone')
  }
  if (answer.header.raft_term !== term) {
    throw new MicroError('unavailable', 'the leader of etcd has changed during a renewal')
  }
}
