import { type Etcd, etcdBinary, startEtcd } from '@micro/test-services'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { afterwards, bytes, open, text, told, watched } from './support.ts'

const binary = etcdBinary()

describe.skipIf(binary === undefined)('records in a real etcd', () => {
  let etcd: Etcd
  let namespaces = 0
  beforeAll(async () => {
    etcd = await startEtcd(binary ?? '')
  })
  afterAll(() => etcd.stop())
  const fresh = () => {
    const namespace = `records${namespaces++}`
    const store = open({ hosts: etcd.address, namespace })
    return { namespace, store, another: open({ hosts: etcd.address, namespace }) }
  }

  test('keys and values are as the README says', async () => {
    const { namespace, store } = fresh()
    const version = await store.write('a/b', bytes('x'))
    await store.write('meta', bytes('y'), { metadata: { tier: 'gold' } })
    await store.write('mark', bytes('\0micro1{'))
    expect(await etcd.list(`/${namespace}/`)).toEqual([
      { key: `/${namespace}/a/b`, value: 'x', lease: '0', revision: version },
      expect.objectContaining({ value: '\0micro1{"metadata":{}}\n\0micro1{' }),
      expect.objectContaining({ value: '\0micro1{"metadata":{"tier":"gold"}}\ny' }),
    ])
    expect(text((await store.read('mark'))?.value)).toBe('\0micro1{')
  })

  test('what others have written is read as it is', async () => {
    const { namespace, store } = fresh()
    const values = [
      'plain',
      '\0micro1',
      '\0micro1{"metadata":{',
      '\0micro1null\nx',
      '\0micro1{}\nx',
      '\0micro1{"metadata":{"a":1}}\nx',
      '\0micro1{"metadata":{},"expiresAt":"soon"}\nx',
    ]
    for (const value of values) {
      await etcd.put(`/${namespace}/x`, value)
      expect(text((await store.read('x'))?.value)).toBe(value)
      expect((await store.read('x'))?.metadata).toEqual({})
    }
  })

  test('a batch over a limit of etcd is refused whole, with the fix', async () => {
    const batch = (count: number, size: number) =>
      Array.from({ length: count }, (_, n) => ({
        type: 'write' as const,
        key: `k${n}`,
        value: new Uint8Array(size),
      }))
    const strict = await startEtcd(binary ?? '', { args: ['--max-txn-ops', '50'] })
    afterwards(() => strict.stop())
    const store = open({ hosts: strict.address })
    await expect(store.commit?.(batch(51, 1))).rejects.toMatchObject({
      code: 'resource_exhausted',
      detail: expect.stringContaining('--max-txn-ops'),
    })
    await expect(store.commit?.(batch(50, 40_000))).rejects.toMatchObject({
      code: 'resource_exhausted',
      detail: expect.stringContaining('--max-request-bytes'),
    })
    expect(await strict.list('/')).toEqual([])
    expect(await store.commit?.(batch(50, 1))).toHaveLength(50)
    // All that core lets pass is less than what etcd takes unless told otherwise.
    expect(await fresh().store.commit?.(batch(100, 1))).toHaveLength(100)
  })

  test('a record that is too large is refused with the fix, and the store goes on', async () => {
    const { namespace, store } = fresh()
    await expect(store.write('a', new Uint8Array(2 ** 21))).rejects.toMatchObject({
      code: 'resource_exhausted',
      detail: expect.stringContaining('--max-request-bytes'),
    })
    expect(await etcd.list(`/${namespace}/`)).toEqual([])
    await store.write('a', new Uint8Array(2 ** 20))
    expect((await store.read('a'))?.value).toHaveLength(2 ** 20)
    expect(store.health()).toEqual({ status: 'up' })
  })

  test('an etcd that is full says so for writes, and is read on', async () => {
    const full = await startEtcd(binary ?? '', { args: ['--quota-backend-bytes', '3000000'] })
    afterwards(() => full.stop())
    const store = open({ hosts: full.address, timeout: 5_000 })
    let error: unknown
    // It counts what it has written down, which it does ten times a second.
    for (let n = 0; error === undefined && n < 200; n++) {
      await store.write(`k${n % 10}`, new Uint8Array(500_000)).catch((reason: unknown) => {
        error = reason
      })
    }
    expect(error).toMatchObject({
      code: 'resource_exhausted',
      detail: expect.stringContaining('compacted'),
    })
    expect((await store.read('k0'))?.value).toHaveLength(500_000)
  })

  test('records with one ttl share a lease; one that is revoked is replaced', async () => {
    const { namespace, store, another } = fresh()
    const watcher = await watched(another)
    for (let n = 0; n < 20; n++) await store.write(`k${n}`, bytes('x'), { ttl: 60_500 })
    await told(watcher, 20)
    const leases = new Set((await etcd.list(`/${namespace}/`)).map(({ lease }) => lease))
    expect(leases.size).toBeLessThan(5)
    // All that live by it go with it, and all who watch hear of it.
    for (const lease of leases) await etcd.revoke(lease)
    expect((await told(watcher, 20)).every((event) => event.startsWith('delete'))).toBe(true)
    await store.write('again', bytes('x'), { ttl: 60_500 })
    expect(text((await another.read('again'))?.value)).toBe('x')
  })

  test('a version and a batch hold against all who write at once', async () => {
    const { store, another } = fresh()
    await store.write('n', bytes('0'))
    const add = async (of: typeof store): Promise<void> => {
      for (;;) {
        const record = await of.read('n')
        const value = bytes(String(Number(text(record?.value)) + 1))
        try {
          await of.commit?.([
            { type: 'write', key: 'n', value, ifVersion: record?.version ?? '' },
            { type: 'write', key: `by/${text(value)}`, value, ifAbsent: true },
          ])
          return
        } catch (error) {
          expect(error).toMatchObject({ code: 'aborted' })
        }
      }
    }
    await Promise.all([store, another, store, another, store].flatMap((of) => [add(of), add(of)]))
    expect(text((await store.read('n'))?.value)).toBe('10')
    const keys: string[] = []
    for await (const { key } of store.list({ prefix: 'by/' })) keys.push(key)
    expect(keys).toHaveLength(10)
  })

  test('a slow reader of a list sees each key once, though history is compacted meanwhile', async () => {
    const { store } = fresh()
    const name = (n: number): string => `k${String(n).padStart(4, '0')}`
    for (let at = 0; at < 1_200; at += 100) {
      const batch = Array.from({ length: 100 }, (_, n) => ({
        type: 'write' as const,
        key: name(at + n),
        value: bytes('x'),
      }))
      await store.commit?.(batch)
    }
    const keys: string[] = []
    for await (const { key } of store.list()) {
      keys.push(key)
      if (keys.length !== 700) continue
      await store.write('k9999', bytes('new'))
      await etcd.compact()
    }
    expect(keys.slice(0, 1_200)).toEqual(Array.from({ length: 1_200 }, (_, n) => name(n)))
  })

  test('one watch of etcd for each prefix, however many watch it, and none afterwards', async () => {
    const { store } = fresh()
    const watches = async () => (await etcd.requests()).get('Watch') ?? 0
    const before = await watches()
    const watchers = await Promise.all(Array.from({ length: 20 }, () => store.watch?.('a')))
    await store.write('a', bytes('1'))
    for (const watcher of watchers) {
      if (watcher !== undefined) expect(await told(watcher, 1)).toEqual(['put a=1'])
    }
    expect(await watches()).toBe(before + 1)
    for (const watcher of watchers) await watcher?.[Symbol.asyncDispose]()
    // The next one begins anew.
    await told(await watchedAfter(store), 1)
    expect(await watches()).toBe(before + 2)
  })

  async function watchedAfter(store: ReturnType<typeof open>) {
    const watcher = await watched(store, 'a')
    await store.write('a', bytes('2'))
    return watcher
  }

  test('a reader of a watch that falls behind is told to list again', async () => {
    const { namespace, store } = fresh()
    const slow = open({ hosts: etcd.address, namespace, watchLimit: 5 })
    const watcher = await watched(slow)
    for (let n = 0; n < 10; n++) await store.write(`k${n}`, bytes('x'))
    const sentinel = await watched(slow, 'k9')
    await store.write('k9', bytes('y'))
    await told(sentinel, 1)
    expect(await told(watcher, 1)).toEqual(['reset'])
  })
})
