import type { AbortOptions } from '../component/component.ts'
import type { EventFeed } from '../component/event-feed.ts'
import { createLifecycle } from '../component/lifecycle.ts'
import { MicroError } from '../errors/micro-error.ts'
import { createLeaseKeeper, type LeaseKeeper } from './lease-keeper.ts'
import { MemorySyncBackend } from './memory-sync-backend.ts'
import type { LeaderChange, Leadership, LockOptions, Sync } from './sync.ts'
import { checkCampaign, checkLock, checkSyncKey, defaultTtl, heldByAnother } from './sync-rules.ts'

export interface MemorySyncOptions {
  /** Share one between syncs to let them exclude each other. @default its own */
  readonly backend?: MemorySyncBackend
}

interface Grant {
  readonly key: string
  readonly token: bigint
  readonly keeper: LeaseKeeper
}

/** Locks and elections within this process. */
export function memorySync(options: MemorySyncOptions = {}): Sync {
  const backend = options.backend ?? new MemorySyncBackend()
  const grants = new Set<Grant>()
  const feeds = new Set<EventFeed<LeaderChange>>()
  const closing = new AbortController()
  const lifecycle = createLifecycle({
    label: 'sync "memory"',
    close() {
      closing.abort(new MicroError('failed_precondition', 'sync "memory" is closed'))
      for (const grant of grants) letGo(grant)
      for (const feed of feeds) feed.end()
    },
  })

  const take = async (
    key: string,
    subject: string,
    id: string,
    { ttl = defaultTtl, wait = Number.POSITIVE_INFINITY, signal }: LockOptions,
  ): Promise<Grant> => {
    await lifecycle.connect({ signal })
    const token = await new Promise<bigint>((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined
      const end = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        closing.signal.removeEventListener('abort', onClose)
      }
      const give = (reason: unknown): void => {
        end()
        withdraw()
        reject(reason)
      }
      const onAbort = (): void => give(signal?.reason)
      const onClose = (): void => give(closing.signal.reason)
      let granted = false
      const withdraw = backend.request(key, {
        id,
        ttl,
        granted(won) {
          granted = true
          end()
          resolve(won)
        },
      })
      if (granted) return
      if (wait <= 0) return give(heldByAnother(subject, wait))
      if (wait <= 2 ** 31 - 1) timer = setTimeout(() => give(heldByAnother(subject, wait)), wait)
      signal?.addEventListener('abort', onAbort, { once: true })
      closing.signal.addEventListener('abort', onClose, { once: true })
    })
    const keeper = createLeaseKeeper({
      subject,
      ttl,
      since: performance.now(),
      renew: async () => backend.renew(key, token, ttl),
    })
    const grant = { key, token, keeper }
    grants.add(grant)
    keeper.lost.addEventListener('abort', () => grants.delete(grant), { once: true })
    return grant
  }
  const letGo = (grant: Grant): void => {
    if (!grants.delete(grant)) return
    grant.keeper.stop()
    backend.release(grant.key, grant.token)
  }
  const releaser =
    (grant: Grant) =>
    async (releaseOptions?: AbortOptions): Promise<void> => {
      releaseOptions?.signal?.throwIfAborted()
      letGo(grant)
    }

  return {
    name: 'memory',
    contract: 'sync/0',
    supports: { fair: true },
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health: () => ({ status: lifecycle.closed ? 'down' : 'up' }),

    async lock(key, lockOptions = {}) {
      checkSyncKey(key)
      checkLock(lockOptions)
      const grant = await take(`lock/${key}`, `lock ${JSON.stringify(key)}`, '', lockOptions)
      const release = releaser(grant)
      const { lost } = grant.keeper
      return { key, token: grant.token, lost, release, [Symbol.asyncDispose]: () => release() }
    },

    leader(key) {
      checkSyncKey(key)
      const place = `leader/${key}`
      return {
        async campaign(campaignOptions = {}): Promise<Leadership> {
          checkCampaign(campaignOptions)
          const id = campaignOptions.id ?? crypto.randomUUID()
          const grant = await take(place, `leadership ${JSON.stringify(key)}`, id, campaignOptions)
          const resign = releaser(grant)
          const { lost } = grant.keeper
          return {
            key,
            id,
            token: grant.token,
            lost,
            resign,
            [Symbol.asyncDispose]: () => resign(),
          }
        },
        async observe(observeOptions) {
          await lifecycle.connect(observeOptions)
          const feed = backend.observe(place, () => feeds.delete(feed))
          feeds.add(feed)
          return feed.watcher
        },
      }
    },
  }
}
