import { MicroError } from '@micro/core'
import { collection, memoryStore, namespacedStore } from '@micro/core/store'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'

const bytes = new TextEncoder().encode('1')
const Order = z.object({ item: z.string(), count: z.number().int().min(1) })

test('a collection keeps typed values and refuses others', async () => {
  const store = memoryStore()
  const orders = collection(store, { name: 'orders', schema: Order })
  const version = await orders.put('1', { item: 'tea', count: 2 })
  expect(await orders.get('1')).toMatchObject({
    id: '1',
    version,
    value: { item: 'tea', count: 2 },
  })
  expect(await orders.get('2')).toBeUndefined()
  await expect(orders.put('2', { item: 'tea', count: 0 })).rejects.toMatchObject({
    code: 'invalid_argument',
    detail: expect.stringContaining('count'),
  })
  expect((await Array.fromAsync(store.list())).map(({ key }) => key)).toEqual(['orders/1'])
})

test('what another writer left is told by its key', async () => {
  const store = memoryStore()
  const orders = collection(store, { name: 'orders', schema: Order })
  await store.write('orders/1', new TextEncoder().encode('{"item":"tea"}'))
  await store.write('orders/2', new TextEncoder().encode('no JSON'))
  for (const id of ['1', '2']) {
    const error = await orders.get(id).catch((failure: unknown) => failure)
    expect(MicroError.is(error, 'data_loss') && error.detail).toContain(`orders/${id}`)
  }
})

test('a collection lists its own records by id', async () => {
  const store = memoryStore()
  const orders = collection(store, { name: 'orders', schema: Order })
  for (const id of ['b', 'a', 'c']) await orders.put(id, { item: id, count: 1 })
  await store.write('orders0', bytes)
  const ids = async (options: object) =>
    (await Array.fromAsync(orders.list(options))).map(({ id }) => id)
  expect(await ids({})).toEqual(['a', 'b', 'c'])
  expect(await ids({ after: 'a', limit: 1 })).toEqual(['b'])
})

test('updates by many at once are all kept, and an expiry stays', async () => {
  const orders = collection(memoryStore(), { name: 'orders', schema: Order })
  await orders.put('1', { item: 'tea', count: 1 }, { ttl: 60_000 })
  await Promise.all(
    Array.from({ length: 20 }, () =>
      orders.update('1', (order) => order && { ...order, count: order.count + 1 }, {
        retries: 100,
      }),
    ),
  )
  const found = await orders.get('1')
  expect(found?.value.count).toBe(21)
  expect(found?.expiresAt).toBeLessThanOrEqual(Date.now() + 60_000)
  expect(await orders.update('none', () => undefined)).toBeUndefined()
  await orders.update('new', () => ({ item: 'tea', count: 1 }))
  expect((await orders.get('new'))?.expiresAt).toBeUndefined()
})

test('an update gives up when others keep coming between', async () => {
  const orders = collection(memoryStore(), { name: 'orders', schema: Order })
  const meddle = async () => {
    await orders.put('1', { item: 'other', count: 1 })
    return { item: 'mine', count: 1 }
  }
  await expect(orders.update('1', meddle, { retries: 2 })).rejects.toMatchObject({
    code: 'aborted',
  })
})

test('a namespace sees nothing of another that begins alike', async () => {
  const store = memoryStore()
  const a = namespacedStore({ store, namespace: 'a' })
  const ab = namespacedStore({ store, namespace: 'ab' })
  await ab.write('x', bytes)
  expect(await Array.fromAsync(a.list())).toEqual([])
  expect(() => namespacedStore({ store, namespace: 'a/b' })).toThrow('namespace')
})

test('limits of the memory store', async () => {
  const store = memoryStore({ limits: { valueBytes: 10, records: 2 } })
  await expect(store.write('a', new Uint8Array(11))).rejects.toMatchObject({
    code: 'resource_exhausted',
    detail: expect.stringContaining('limits.valueBytes'),
  })
  await store.write('a', bytes)
  await store.write('b', bytes)
  await store.write('b', bytes)
  await expect(store.write('c', bytes)).rejects.toMatchObject({
    code: 'resource_exhausted',
    detail: expect.stringContaining('limits.records'),
  })
})

test('a store behaves as a sorted map does, whatever is done to it', async () => {
  const key = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 3 })
  const step = fc.record({ key, remove: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 600 }), async (steps) => {
      const store = memoryStore()
      const model = new Set<string>()
      for (const one of steps) {
        if (one.remove) expect(await store.delete(one.key)).toBe(model.delete(one.key))
        else await store.write(one.key, bytes)
        if (!one.remove) model.add(one.key)
      }
      const keys = (await Array.fromAsync(store.list())).map((record) => record.key)
      expect(keys).toEqual([...model].sort())
    }),
    { numRuns: 50 },
  )
})
