import { eventually } from '@micro/conformance/kit'
import { createEventFeed } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import { MemoryStoreBackend, memoryStore, type Store, type StoreEvent } from '@micro/core/store'
import { type CachedStoreOptions, cachedStore } from '@micro/plugin-store-views'
import { expect, test } from 'vitest'
import { bytesOf, type Counted, counted, settle, textAt, textOf } from './support.ts'

interface Setting extends Counted {
  readonly cached: Store
  /** What changes behind the cache's back. */
  readonly other: Store
}

async function setUp(
  options: Partial<CachedStoreOptions> = {},
  change: (store: Store) => Store = (store) => store,
): Promise<Setting> {
  const backend = new MemoryStoreBackend()
  const below = counted(change(memoryStore({ backend })))
  const cached = cachedStore({ store: below.store, ...options })
  await cached.connect()
  return { ...below, cached, other: memoryStore({ backend }) }
}

/** As a store is that cannot tell of changes. */
function withoutWatch({ watch: _, ...store }: Store): Store {
  return { ...store, supports: { ...store.supports, watch: false } }
}

test('what was read is read from memory, and what is absent too', async () => {
  const { cached, other, reads } = await setUp()
  await other.write('a', bytesOf('1'), { metadata: { m: 'x' } })
  await settle()
  for (let round = 0; round < 3; round++) {
    const record = await cached.read('a')
    expect(textOf(record)).toBe('1')
    expect(record?.metadata).toEqual({ m: 'x' })
    expect(await cached.read('nothing')).toBeUndefined()
  }
  expect(reads).toEqual(['a', 'nothing'])
})

test('a hundred that miss one key at once are answered by one read', async () => {
  const { cached, other, reads, hold } = await setUp()
  await other.write('a', bytesOf('1'))
  await settle()
  const release = hold()
  const results = Array.from({ length: 100 }, () => cached.read('a'))
  const controller = new AbortController()
  const given = cached.read('a', { signal: controller.signal })
  await settle()
  const reason = new Error('mine')
  controller.abort(reason)
  await expect(given).rejects.toBe(reason)
  release()
  const records = await Promise.all(results)
  expect(new Set(records.map(textOf))).toEqual(new Set(['1']))
  expect(reads).toEqual(['a'])
  // None shares its bytes with another.
  records[0]?.value.fill(0)
  expect(textOf(records[1])).toBe('1')
  expect(await textAt(cached, 'a')).toBe('1')
})

test('a read that fails fails for all who waited for it, and is tried anew by the next', async () => {
  let failing = true
  const { cached, reads } = await setUp({}, (store) => ({
    ...store,
    read: async (key) => {
      if (failing) throw new MicroError('unavailable', 'broken')
      return store.read(key)
    },
  }))
  const outcomes = await Promise.allSettled([cached.read('a'), cached.read('a')])
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(reads).toHaveLength(1)
  failing = false
  expect(await cached.read('a')).toBeUndefined()
})

test('changes by others are heeded, of what was there and of what was not', async () => {
  const { cached, other } = await setUp()
  expect(await cached.read('a')).toBeUndefined()
  await other.write('a', bytesOf('1'))
  await settle()
  expect(await textAt(cached, 'a')).toBe('1')
  await other.delete('a')
  await settle()
  expect(await cached.read('a')).toBeUndefined()
})

test('what is read while it changes is not kept', async () => {
  const { cached, other, hold } = await setUp()
  await other.write('a', bytesOf('old'))
  await settle()
  for (const change of [other, cached]) {
    const release = hold(1)
    const early = cached.read('a')
    await settle()
    await change.write('a', bytesOf('new'))
    await settle()
    // Who asks after the change is not given what was under way before it.
    expect(await textAt(cached, 'a')).toBe('new')
    release()
    await early
    expect(await textAt(cached, 'a')).toBe('new')
    await other.write('a', bytesOf('old'))
    await settle()
  }
})

test('own writes, deletes and batches are seen at once, without any watch', async () => {
  const { cached } = await setUp({ ttl: 60_000 }, withoutWatch)
  expect(cached.watch).toBeUndefined()
  expect(cached.supports.watch).toBe(false)
  expect(await cached.read('a')).toBeUndefined()
  await cached.write('a', bytesOf('1'))
  expect(await textAt(cached, 'a')).toBe('1')
  await cached.commit?.([{ type: 'write', key: 'a', value: bytesOf('2') }])
  expect(await textAt(cached, 'a')).toBe('2')
  await cached.delete('a')
  expect(await cached.read('a')).toBeUndefined()
})

test('what is read while an own write is under way is not believed after it', async () => {
  const gate = Promise.withResolvers<void>()
  const { cached } = await setUp({ ttl: 60_000, watch: false }, (store) => ({
    ...store,
    write: async (...parameters) => {
      await gate.promise
      return store.write(...parameters)
    },
  }))
  const writing = cached.write('a', bytesOf('1'))
  await settle()
  expect(await cached.read('a')).toBeUndefined()
  gate.resolve()
  await writing
  expect(await textAt(cached, 'a')).toBe('1')
})

test.each([
  ['without a watch below', withoutWatch, true],
  ['with watch: false', (store: Store) => store, false],
])('%s what others write is seen once the ttl is over', async (_what, change, watch) => {
  const { cached, other, reads } = await setUp({ ttl: 200, watch }, change)
  expect(await cached.read('a')).toBeUndefined()
  await other.write('a', bytesOf('1'))
  await settle()
  expect(await cached.read('a')).toBeUndefined()
  expect(reads).toHaveLength(1)
  await eventually(async () => expect(await textAt(cached, 'a')).toBe('1'))
})

test('a condition that does not hold shows that what is known is old', async () => {
  const { cached, other } = await setUp({ ttl: 60_000, watch: false })
  const version = await cached.write('a', bytesOf('1'))
  expect(await textAt(cached, 'a')).toBe('1')
  await other.write('a', bytesOf('2'))
  const write = cached.write('a', bytesOf('3'), { ifVersion: version })
  await expect(write).rejects.toMatchObject({ code: 'aborted' })
  expect(await textAt(cached, 'a')).toBe('2')
})

test('who was told of a change reads no older state', async () => {
  const { cached, other } = await setUp({ ttl: 60_000, watch: false })
  const watcher = await cached.watch?.('')
  expect(await cached.read('a')).toBeUndefined()
  await other.write('a', bytesOf('1'))
  expect((await watcher?.next())?.value).toMatchObject({ type: 'put' })
  expect(await textAt(cached, 'a')).toBe('1')
})

test('maxEntries: those that were not used for longest go', async () => {
  const { cached, reads } = await setUp({ maxEntries: 3 })
  for (const key of ['a', 'b', 'c', 'a', 'd', 'a', 'c', 'b']) await cached.read(key)
  expect(reads).toEqual(['a', 'b', 'c', 'd', 'b'])
})

test('maxBytes: they go by their size too, and what is huge is not kept', async () => {
  const { cached, other, reads } = await setUp({ maxBytes: 100_000 })
  for (const key of ['a', 'b', 'c', 'd', 'e']) await other.write(key, new Uint8Array(20_000))
  await other.write('huge', new Uint8Array(30_000))
  await settle()
  for (const key of ['a', 'b', 'c', 'd', 'e', 'e', 'huge', 'huge', 'b', 'a']) await cached.read(key)
  expect(reads).toEqual(['a', 'b', 'c', 'd', 'e', 'huge', 'huge', 'a'])
})

test('a watch that ends below is begun anew, and nothing old is believed', async () => {
  const feeds: ReturnType<typeof feedOf>[] = []
  const feedOf = () =>
    createEventFeed<StoreEvent>({
      keyOf: () => '',
      overflow: { type: 'reset' },
      onClose: () => undefined,
    })
  let refused = 1
  const { cached, other, reads } = await setUp({ ttl: 600_000 }, (store) => ({
    ...store,
    async watch() {
      if (feeds.length === 1 && refused-- > 0) throw new MicroError('unavailable', 'no watch')
      const feed = feedOf()
      feeds.push(feed)
      return feed.watcher
    },
  }))
  expect(await cached.read('a')).toBeUndefined()
  await other.write('a', bytesOf('1'))
  feeds[0]?.end()
  await eventually(() => expect(cached.health().status).toBe('degraded'))
  expect(await cached.read('a')).toBeUndefined()
  await eventually(() => expect(cached.health().status).toBe('up'))
  expect(await textAt(cached, 'a')).toBe('1')
  await other.write('a', bytesOf('2'))
  feeds[1]?.push({ type: 'reset' })
  await settle()
  expect(await textAt(cached, 'a')).toBe('2')
  expect(reads).toHaveLength(3)
  await cached.close()
})

test('closing does not close the store below', async () => {
  const { cached, store } = await setUp()
  await cached.close()
  expect(await store.read('a')).toBeUndefined()
  await expect(cached.read('a')).rejects.toMatchObject({ code: 'failed_precondition' })
})

test.each<[object, string]>([
  [{}, 'store'],
  [{ store: {} }, 'store'],
  [{ store: memoryStore(), maxEntries: 0 }, 'maxEntries'],
  [{ store: memoryStore(), maxBytes: Number.NaN }, 'maxBytes'],
  [{ store: memoryStore(), ttl: 0 }, 'ttl'],
  [{ store: memoryStore(), watch: 1 }, 'watch'],
  [{ store: memoryStore(), size: 1 }, 'size'],
])('refuses the options %#', (options, name) => {
  expect(() => cachedStore(options as CachedStoreOptions)).toThrow(
    expect.objectContaining({
      code: 'invalid_argument',
      detail: expect.stringContaining(`cachedStore option ${name} `),
    }),
  )
})
