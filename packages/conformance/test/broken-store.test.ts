import { storeTraits } from '@micro/conformance/store'
import { memoryStore, type Store, type StoreRecord } from '@micro/core/store'
import { describe, expect, test } from 'vitest'
import { failuresOf } from './support/failures-of.ts'
import { storeBackends } from './support/store-backends.ts'

type Break = (store: Store) => Partial<Store>

/** One way to be wrong for each trait, and for some more than one. */
const broken: readonly (readonly [trait: string, what: string, make: Break])[] = [
  [
    'records',
    'loses metadata',
    (store) => ({
      write: (key, value, { metadata: _, ...rest } = {}) => store.write(key, value, rest),
    }),
  ],
  [
    'records',
    'folds the case of keys',
    (store) => ({ read: (key, options) => store.read(key.toLowerCase(), options) }),
  ],
  [
    'records',
    'says that it deleted what was not there',
    (store) => ({ delete: async (key, options) => (await store.delete(key, options)) || true }),
  ],
  [
    'versions and conditions',
    'writes whatever the condition',
    (store) => ({
      write: (key, value, { ifVersion: _, ...rest } = {}) => store.write(key, value, rest),
    }),
  ],
  ['versions and conditions', 'counts versions per key from one', withVersions],
  [
    'expiry',
    'forgets the ttl',
    (store) => ({ write: (key, value, { ttl: _, ...rest } = {}) => store.write(key, value, rest) }),
  ],
  ['expiry', 'shows what has gone', showsLapsed],
  ['listing', 'orders by UTF-16', (store) => ({ list: (options) => sorted(store.list(options)) })],
  [
    'listing',
    'pages by position',
    (store) => ({ list: ({ after: _, ...rest } = {}) => store.list(rest) }),
  ],
  [
    'listing',
    'limits before it filters',
    (store) => ({ list: ({ prefix = '', ...rest } = {}) => filtered(store.list(rest), prefix) }),
  ],
  [
    'batches',
    'stops in the middle',
    (store) => ({ commit: (operations) => oneByOne(store, operations) }),
  ],
  ['watching', 'tells its own changes only', watchesItself],
  [
    'watching',
    'claims no watch, and has one',
    (store) => ({ supports: { ...store.supports, watch: false } }),
  ],
  ['concurrency', 'checks first and writes later', checksThenWrites],
  [
    'limits',
    'takes any key',
    (store) => ({
      read: (key, options) => (key === '' ? Promise.resolve(undefined) : store.read(key, options)),
    }),
  ],
  [
    'lifecycle',
    'goes on after close',
    (store) => ({
      close: async () => undefined,
      [Symbol.asyncDispose]: async () => undefined,
      health: () => store.health(),
    }),
  ],
  ['lifecycle', 'ignores signals', (store) => ({ read: (key) => store.read(key) })],
]

describe('a store that', () => {
  test.each(broken)('%s: %s, is caught', async (name, _what, breakIt) => {
    const backendOf = storeBackends()
    const trait = storeTraits.find((one) => one.name === name)
    const create = (scope: string): Store => {
      const store = memoryStore({ backend: backendOf(scope) })
      return { ...store, ...breakIt(store) }
    }
    expect(await failuresOf(trait, { name: 'broken', create })).not.toEqual([])
  })
})

function withVersions(store: Store): Partial<Store> {
  const counts = new Map<string, number>()
  const rename = (record: StoreRecord): StoreRecord => ({
    ...record,
    version: String(counts.get(record.key)),
  })
  return {
    async read(key, options) {
      const record = await store.read(key, options)
      return record === undefined ? undefined : rename(record)
    },
    async write(key, value, { ifVersion: _, ...rest } = {}) {
      await store.write(key, value, rest)
      counts.set(key, (counts.get(key) ?? 0) + 1)
      return String(counts.get(key))
    },
    async delete(key, options) {
      counts.delete(key)
      return store.delete(key, options)
    },
  }
}

function showsLapsed(store: Store): Partial<Store> {
  const last = new Map<string, StoreRecord>()
  return {
    async *list(options) {
      for await (const record of store.list(options)) last.set(record.key, record)
      for (const record of last.values()) yield record
    },
    async write(key, value, options) {
      const version = await store.write(key, value, options)
      last.set(key, (await store.read(key)) as StoreRecord)
      return version
    },
  }
}

async function* sorted(records: AsyncIterable<StoreRecord>): AsyncGenerator<StoreRecord> {
  yield* (await Array.fromAsync(records)).sort((a, b) => (a.key < b.key ? -1 : 1))
}

async function* filtered(
  records: AsyncIterable<StoreRecord>,
  prefix: string,
): AsyncGenerator<StoreRecord> {
  for await (const record of records) if (record.key.startsWith(prefix)) yield record
}

const oneByOne: (
  store: Store,
  operations: Parameters<NonNullable<Store['commit']>>[0],
) => Promise<(string | undefined)[]> = async (store, operations) => {
  const versions: (string | undefined)[] = []
  for (const operation of operations) {
    versions.push(...((await store.commit?.([operation])) ?? []))
  }
  return versions
}

function watchesItself(store: Store): Partial<Store> {
  return {
    write: (key, value, options) => store.write(`hidden/${key}`, value, options),
    read: (key, options) => store.read(`hidden/${key}`, options),
  }
}

function checksThenWrites(store: Store): Partial<Store> {
  return {
    async write(key, value, { ifVersion, ifAbsent, ...rest } = {}) {
      const found = await store.read(key)
      if (ifVersion !== undefined && found?.version === ifVersion)
        return store.write(key, value, rest)
      if (ifAbsent === true && found === undefined) return store.write(key, value, rest)
      return store.write(key, value, { ...rest, ifVersion, ifAbsent })
    },
  }
}
