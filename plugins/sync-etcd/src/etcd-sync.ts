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
import { createConnection } from '@micro/etcd-client'
import { createObservatory, type Observatory } from './observatory.ts'
import { type EtcdSyncOptions, settle } from './options.ts'
import { isEmpty, type Place, type Queue, takePlace } from './place.ts'

const label = 'sync "etcd"'

/**
 * Locks and elections by etcd, in order of arrival.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function etcdSync(options: EtcdSyncOptions = {}): Sync {
  const settings = settle(options)
  const connection = createConnection(settings.etcd, label)
  const places = new Set<Place>()
  const observatories = new Map<string, Observatory>()
  const taking = new Set<Promise<unknown>>()
  const background = new Set<Promise<void>>()
  const closing = new AbortController()

  /** A place that is not given free for lack of an answer lapses: nobody needs to hear of it. */
  const later = (work: Promise<void>): void => {
    const done = work
      .catch(() => undefined)
      .finally(() => {
        background.delete(done)
      })
    background.add(done)
  }
  const lifecycle = createLifecycle({
    label,
    async close() {
      closing.abort(new MicroError('failed_precondition', `${label} is closed`))
      for (const observatory of observatories.values()) observatory.close()
      for (const place of places) later(place.leave())
      // Who was just about to take a place gives back what etcd has granted meanwhile.
      await Promise.allSettled(taking)
      while (background.size > 0) await Promise.all(background)
      connection.close()
    },
  })

  const queueOf = (kind: 'lock' | 'leader', key: string): Queue => ({
    connection,
    prefix: `/${settings.namespace}/${kind}/${encodeURIComponent(key)}/`,
    subject: `${kind === 'lock' ? 'lock' : 'leadership'} ${JSON.stringify(key)}`,
  })
  const take = async (
    queue: Queue,
    id: string,
    { ttl = defaultTtl, wait = Number.POSITIVE_INFINITY, signal }: LockOptions,
  ): Promise<Place> => {
    await lifecycle.connect({ signal })
    const over = new AbortController()
    const timer =
      wait > 0 && wait <= 2 ** 31 - 1
        ? setTimeout(() => over.abort(heldByAnother(queue.subject, wait)), wait)
        : undefined
    const ends = AbortSignal.any([
      over.signal,
      closing.signal,
      ...(signal === undefined ? [] : [signal]),
    ])
    try {
      // Without a place first, so that trying once is a look and no more while another has it.
      if (wait <= 0 && !(await isEmpty(queue, { signal: ends }))) {
        throw heldByAnother(queue.subject, wait)
      }
      const work = runInRoot(() => queueUp(queue, { id, ttl, wait, signal: ends }))
      taking.add(work)
      return await work.finally(() => taking.delete(work))
    } finally {
      clearTimeout(timer)
    }
  }
  const queueUp = async (
    queue: Queue,
    { id, ttl, wait, signal }: { id: string; ttl: number; wait: number; signal: AbortSignal },
  ): Promise<Place> => {
    for (;;) {
      const place = await takePlace(queue, { id, ttl, signal, later })
      places.add(place)
      const forget = (): void => void places.delete(place)
      place.lost.addEventListener('abort', forget, { once: true })
      try {
        const isFirst = wait <= 0 ? await place.isFirst({ signal }) : await place.turn({ signal })
        signal.throwIfAborted()
        if (isFirst === true && !place.lost.aborted) return place
        if (wait <= 0) throw heldByAnother(queue.subject, wait)
        // Its place was lost in an outage: once more, from the end.
        forget()
        later(place.leave())
      } catch (error) {
        forget()
        later(place.leave())
        throw error
      }
    }
  }
  const releaser =
    (place: Place) =>
    async (releaseOptions?: AbortOptions): Promise<void> => {
      releaseOptions?.signal?.throwIfAborted()
      if (!places.has(place)) return
      await place.leave(releaseOptions)
      places.delete(place)
    }

  return {
    name: 'etcd',
    contract: 'sync/0',
    supports: { fair: true },
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health(): Health {
      if (lifecycle.closed) return { status: 'down' }
      const { problem } = connection
      return problem === undefined
        ? { status: 'up' }
        : { status: 'degraded', detail: problem.detail }
    },

    async lock(key, lockOptions = {}): Promise<Lock> {
      checkSyncKey(key)
      checkLock(lockOptions)
      const place = await take(queueOf('lock', key), '', lockOptions)
      const release = releaser(place)
      const { token, lost } = place
      return { key, token, lost, release, [Symbol.asyncDispose]: () => release() }
    },

    leader(key) {
      checkSyncKey(key)
      const queue = queueOf('leader', key)
      return {
        async campaign(campaignOptions = {}): Promise<Leadership> {
          checkCampaign(campaignOptions)
          const id = campaignOptions.id ?? crypto.randomUUID()
          const place = await take(queue, id, campaignOptions)
          const resign = releaser(place)
          const { token, lost } = place
          return { key, id, token, lost, resign, [Symbol.asyncDispose]: () => resign() }
        },
        async observe(observeOptions) {
          await lifecycle.connect(observeOptions)
          const { prefix } = queue
          let observatory = observatories.get(prefix)
          if (observatory === undefined) {
            const made = createObservatory(connection, prefix, () => {
              if (observatories.get(prefix) === made) observatories.delete(prefix)
              made.close()
            })
            observatories.set(prefix, made)
            observatory = made
          }
          return await observatory.observe({ signal: observeOptions?.signal })
        },
      }
    },
  }
}
