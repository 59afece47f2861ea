import { type AbortOptions, createLifecycle } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import {
  checkCampaign,
  checkLock,
  checkSyncKey,
  createLeaseKeeper,
  defaultTtl,
  heldByAnother,
  type Leadership,
  type LeaseKeeper,
  type Lock,
  type LockOptions,
  type Sync,
} from '@micro/core/sync'
import { createSqliteFile } from '@micro/sqlite-file'
import { createObservations } from './observations.ts'
import { type FileSyncOptions, settle } from './options.ts'
import {
  forgetLapsed,
  free,
  hasLapsed,
  holderOf,
  layout,
  prepare,
  renew,
  type Statements,
  take,
} from './places.ts'
import { createAlarm, createWaiting } from './waiting.ts'

const label = 'sync "file"'

interface Grant {
  readonly place: string
  readonly token: bigint
  readonly keeper: LeaseKeeper
}

interface Wanted {
  readonly place: string
  /** For errors: `lock "orders"`. */
  readonly subject: string
  readonly id: string
}

/**
 * Locks and elections between the processes of one machine, by a SQLite file.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function fileSync(options: FileSyncOptions): Sync {
  const settings = settle(options)
  const file = createSqliteFile<Statements>({ settings, label, layout, prepare })
  const waiting = createWaiting(file)
  const observations = createObservations(file, waiting)
  const grants = new Set<Grant>()
  const closing = new AbortController()
  const lifecycle = createLifecycle({
    label,
    async open() {
      await file.open()
      if (await file.read(hasLapsed)) await file.change(forgetLapsed, { relaxed: true })
    },
    async close() {
      closing.abort(new MicroError('failed_precondition', `${label} is closed`))
      observations.close()
      // A place that cannot be given free lapses: nobody needs to hear of it.
      await Promise.allSettled([...grants].map((grant) => letGo(grant)))
      await file.close()
    },
  })

  /** Tries until it has the place. Looking takes no lock of the file, so many may wait. */
  const acquire = async (
    { place, id, subject }: Wanted,
    ttl: number,
    wait: number,
    signal: AbortSignal,
  ): Promise<{ token: bigint; since: number }> => {
    const alarm = createAlarm(true)
    const unfollow = wait > 0 ? waiting.follow(alarm.ring) : undefined
    try {
      for (;;) {
        signal.throwIfAborted()
        const holder = await file.read((statements) => holderOf(statements, place), { signal })
        if (holder === undefined) {
          const since = performance.now()
          const token = await file.change((statements) => take(statements, { place, id, ttl }), {
            signal,
          })
          if (token !== undefined && !signal.aborted) return { token, since }
          // Whoever asked has given up in the very moment.
          if (token !== undefined) await release(place, token)
          signal.throwIfAborted()
        }
        if (wait <= 0) throw heldByAnother(subject, wait)
        // A lease that ends by itself changes nothing in the file.
        if (holder !== undefined) await alarm.next(holder.left + 1 + Math.random() * 5, signal)
      }
    } finally {
      unfollow?.()
    }
  }
  const obtain = async (
    wanted: Wanted,
    { ttl = defaultTtl, wait = Number.POSITIVE_INFINITY, signal }: LockOptions,
  ): Promise<Grant> => {
    await lifecycle.connect({ signal })
    const over = new AbortController()
    const timer =
      wait > 0 && wait <= 2 ** 31 - 1
        ? setTimeout(() => over.abort(heldByAnother(wanted.subject, wait)), wait)
        : undefined
    const ends = AbortSignal.any([
      over.signal,
      closing.signal,
      ...(signal === undefined ? [] : [signal]),
    ])
    try {
      const { token, since } = await acquire(wanted, ttl, wait, ends)
      const { place, subject } = wanted
      const keeper = createLeaseKeeper({
        subject,
        ttl,
        since,
        async renew(renewOptions) {
          // A loss of power ends the holder too, so the disk need not be waited for.
          const held = await file.change((statements) => renew(statements, { place, token, ttl }), {
            ...renewOptions,
            relaxed: true,
          })
          if (!held) throw new MicroError('aborted', 'its lease has lapsed')
        },
      })
      const grant = { place, token, keeper }
      grants.add(grant)
      keeper.lost.addEventListener('abort', () => grants.delete(grant), { once: true })
      return grant
    } finally {
      clearTimeout(timer)
    }
  }
  const release = (place: string, token: bigint): Promise<void> =>
    file.change((statements) => free(statements, place, token), { relaxed: true })
  const letGo = async (grant: Grant): Promise<void> => {
    if (!grants.delete(grant)) return
    grant.keeper.stop()
    await release(grant.place, grant.token)
  }
  const releaser =
    (grant: Grant) =>
    async (releaseOptions?: AbortOptions): Promise<void> => {
      releaseOptions?.signal?.throwIfAborted()
      await letGo(grant)
    }

  return {
    name: 'file',
    contract: 'sync/0',
    supports: { fair: false },
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health: file.health,

    async lock(key, lockOptions = {}): Promise<Lock> {
      checkSyncKey(key)
      checkLock(lockOptions)
      const subject = `lock ${JSON.stringify(key)}`
      const grant = await obtain({ place: `lock/${key}`, subject, id: '' }, lockOptions)
      const { token, keeper } = grant
      const release = releaser(grant)
      return { key, token, lost: keeper.lost, release, [Symbol.asyncDispose]: () => release() }
    },

    leader(key) {
      checkSyncKey(key)
      const place = `leader/${key}`
      const subject = `leadership ${JSON.stringify(key)}`
      return {
        async campaign(campaignOptions = {}): Promise<Leadership> {
          checkCampaign(campaignOptions)
          const id = campaignOptions.id ?? crypto.randomUUID()
          const grant = await obtain({ place, subject, id }, campaignOptions)
          const { token, keeper } = grant
          const resign = releaser(grant)
          return {
            key,
            id,
            token,
            lost: keeper.lost,
            resign,
            [Symbol.asyncDispose]: () => resign(),
          }
        },
        async observe(observeOptions) {
          await lifecycle.connect(observeOptions)
          return await observations.observe(place)
        },
      }
    },
  }
}
