import { syncTraits } from '@micro/conformance/sync'
import { type Lock, MemorySyncBackend, memorySync, type Sync } from '@micro/core/sync'
import { describe, expect, test } from 'vitest'
import { failuresOf } from './support/failures-of.ts'

const ttl = 200
const never = new AbortController().signal

/** Replaces what `lock` returns. */
function withLock(change: (lock: Lock) => Partial<Lock>): (sync: Sync) => Partial<Sync> {
  return (sync) => ({
    async lock(key, options) {
      const lock = await sync.lock(key, options)
      return { ...lock, ...change(lock) }
    },
  })
}

const broken: readonly (readonly [
  trait: string,
  what: string,
  make: (sync: Sync) => Partial<Sync>,
])[] = [
  ['exclusion', 'excludes within one instance only', () => memorySync()],
  [
    'exclusion',
    'gives tokens at random',
    withLock(() => ({ token: BigInt(Math.trunc(Math.random() * 1e9)) })),
  ],
  [
    'exclusion',
    'takes any key',
    (sync) => ({ lock: (key, options) => sync.lock(key === '' ? 'x' : key, options) }),
  ],
  [
    'waiting',
    'tries once',
    (sync) => ({ lock: (key, options) => sync.lock(key, { ...options, wait: 0 }) }),
  ],
  [
    'waiting',
    'never gives up',
    (sync) => ({ lock: (key, { wait: _, ...rest } = {}) => sync.lock(key, rest) }),
  ],
  [
    'waiting',
    'says that it is unfair',
    (sync) => ({
      supports: { fair: false },
      lock: (key, options) => sync.lock(key, { ...options, ttl: 1 }),
    }),
  ],
  ['leases', 'does not tell of a loss', withLock(() => ({ lost: never }))],
  [
    'leases',
    'tells of a loss on release',
    withLock((lock) => {
      const controller = new AbortController()
      return {
        lost: controller.signal,
        release: async () => controller.abort(await lock.release()),
      }
    }),
  ],
  ['elections', 'has one key for all', (sync) => ({ leader: () => sync.leader('all') })],
  [
    'elections',
    'observes once',
    (sync) => ({
      leader(key) {
        const election = sync.leader(key)
        return {
          ...election,
          async observe(options) {
            const watcher = await election.observe(options)
            const first = watcher.next()
            return { ...watcher, next: () => first, [Symbol.asyncIterator]: () => watcher }
          },
        }
      },
    }),
  ],
  [
    'lifecycle',
    'goes on after close',
    (sync) => ({ close: async () => undefined, health: () => sync.health() }),
  ],
]

describe('a sync that', () => {
  test.each(broken)('%s: %s, is caught', async (name, _what, breakIt) => {
    const backends = new Map<string, MemorySyncBackend>()
    const trait = syncTraits(ttl).find((one) => one.name === name)
    const create = (scope: string): Sync => {
      const backend = backends.get(scope) ?? new MemorySyncBackend()
      backends.set(scope, backend)
      const sync = memorySync({ backend })
      return { ...sync, ...breakIt(sync) }
    }
    expect(await failuresOf(trait, { name: 'broken', create })).not.toEqual([])
  })
})
