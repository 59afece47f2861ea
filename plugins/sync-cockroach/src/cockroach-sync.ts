import { type AbortOptions, createLifecycle, type Health } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import {
  checkCampaign,
  checkLock,
  checkSyncKey,
  defaultTtl,
  heldByAnother,
  type Leadership,
  type Lock,
  type LockOptions,
  type Sync,
} from '@micro/core/sync'
import { createDatabase, migrate } from '@micro/sql-client'
import { createObservatory, type Observatory } from './observatory.ts'
import { type CockroachSyncOptions, settle } from './options.ts'
import { type Holding, type Place, takePlace } from './places.ts'
import { schemaOf } from './schema.ts'
import { makeStatements } from './statements.ts'

const label = 'sync "cockroach"'
/** Milliseconds that closing waits for what it gives back. */
const patience = 3_000

/**
 * Locks and elections in CockroachDB or PostgreSQL, by the database's time.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function cockroachSync(options: CockroachSyncOptions): Sync {
  const settings = settle(options)
  const { namespace, table } = settings
  const database = createDatabase(settings.sql, label)
  const statements = makeStatements(table)
  const parts = { ...settings, database, statements }
  const holdings = new Set<Holding>()
  const observatories = new Map<string, Observatory>()
  const background = new Set<Promise<void>>()
  const closing = new AbortController()

  /** A place that is not given back for lack of an answer lapses: nobody needs to hear of it. */
  const later = (work: Promise<void>): void => {
    const done = work.catch(() => undefined).finally(() => void background.delete(done))
    background.add(done)
  }
  const lifecycle = createLifecycle({
    label,
    async open() {
      await migrate(database, schemaOf(table), { apply: settings.migrate })
      later(
        database
          .query(statements.sweep, [namespace], { repeatable: true, background: true })
          .then(() => undefined),
      )
    },
    async close() {
      closing.abort(new MicroError('failed_precondition', `${label} is closed`))
      for (const observatory of observatories.values()) observatory.close()
      for (const holding of holdings) later(holding.leave())
      // What cannot be given back in time goes free with its ttl.
      let timer: ReturnType<typeof setTimeout> | undefined
      const enough = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, patience)
      })
      await Promise.race([Promise.all(background), enough])
      clearTimeout(timer)
      await database.close()
    },
  })
  const take = async (
    place: Place,
    id: string,
    { ttl = defaultTtl, wait = Number.POSITIVE_INFINITY, signal }: LockOptions,
  ): Promise<Holding> => {
    await lifecycle.connect({ signal })
    signal?.throwIfAborted()
    const over = new AbortController()
    const timer =
      wait > 0 && wait <= 2 ** 31 - 1
        ? setTimeout(() => over.abort(heldByAnother(place.subject, wait)), wait)
        : undefined
    const ends = AbortSignal.any([
      over.signal,
      closing.signal,
      ...(signal === undefined ? [] : [signal]),
    ])
    try {
      const holding = await runInRoot(() =>
        takePlace(parts, place, { id, ttl, wait, signal: ends, later }),
      )
      if (ends.aborted) {
        later(holding.leave())
        throw ends.reason
      }
      holdings.add(holding)
      holding.lost.addEventListener('abort', () => void holdings.delete(holding), { once: true })
      return holding
    } finally {
      clearTimeout(timer)
    }
  }
  const releaser =
    (holding: Holding) =>
    async (releaseOptions?: AbortOptions): Promise<void> => {
      releaseOptions?.signal?.throwIfAborted()
      if (!holdings.has(holding)) return
      await holding.leave(releaseOptions)
      holdings.delete(holding)
    }

  return {
    name: 'cockroach',
    contract: 'sync/0',
    supports: { fair: false },
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health(): Health {
      if (lifecycle.closed) return { status: 'down' }
      const { problem } = database
      return problem === undefined
        ? { status: 'up' }
        : { status: 'degraded', detail: problem.detail }
    },

    async lock(key, lockOptions = {}): Promise<Lock> {
      checkSyncKey(key)
      checkLock(lockOptions)
      const place = { name: `lock/${key}`, subject: `lock ${JSON.stringify(key)}` }
      const holding = await take(place, '', lockOptions)
      const release = releaser(holding)
      const { token, lost } = holding
      return { key, token, lost, release, [Symbol.asyncDispose]: () => release() }
    },

    leader(key) {
      checkSyncKey(key)
      const place = { name: `leader/${key}`, subject: `leadership ${JSON.stringify(key)}` }
      return {
        async campaign(campaignOptions = {}): Promise<Leadership> {
          checkCampaign(campaignOptions)
          const id = campaignOptions.id ?? crypto.randomUUID()
          const holding = await take(place, id, campaignOptions)
          const resign = releaser(holding)
          const { token, lost } = holding
          return { key, id, token, lost, resign, [Symbol.asyncDispose]: () => resign() }
        },
        async observe(observeOptions) {
          await lifecycle.connect(observeOptions)
          const { name } = place
          let observatory = observatories.get(name)
          if (observatory === undefined) {
            const made = createObservatory(parts, name, () => {
              if (observatories.get(name) === made) observatories.delete(name)
              made.close()
            })
            observatories.set(name, made)
            observatory = made
          }
          return await observatory.observe({ signal: observeOptions?.signal })
        },
      }
    },
  }
}
