import { eventually, expectCode } from '@micro/conformance/kit'
import { MicroError } from '@micro/core/errors'
import type { Store } from '@micro/core/store'
import { describe, expect, test } from 'vitest'
import { sqlOf } from './sql.ts'
import { binaries, bytesOf, newNamespace, open, server, textOf } from './support.ts'

const writers = 16

async function increment(store: Store, add: (count: number, version?: string) => Promise<unknown>) {
  for (;;) {
    const found = await store.read('count')
    try {
      await add(Number(textOf(found?.value) ?? '0') + 1, found?.version)
      return
    } catch (error) {
      if (!MicroError.is(error, 'aborted') && !MicroError.is(error, 'already_exists')) throw error
    }
  }
}

describe.skipIf(binaries === undefined)('many at once on a real PostgreSQL', () => {
  test(`${writers} writers that each add 20, by batches and by single writes, lose none`, {
    timeout: 120_000,
  }, async () => {
    const postgres = await server()
    const options = { connectionString: postgres.url, namespace: newNamespace(), timeout: 60_000 }
    const stores = Array.from({ length: 4 }, () => open({ ...options, maxConnections: 4 }))
    await Promise.all(
      Array.from({ length: writers }, async (_, writer) => {
        const store = stores[writer % stores.length] as (typeof stores)[number]
        for (let round = 0; round < 20; round++) {
          await increment(store, (count, version) => {
            const value = bytesOf(String(count))
            const condition = version === undefined ? { ifAbsent: true } : { ifVersion: version }
            const own = { type: 'write' as const, key: `w${writer}/${round}`, value }
            return round % 2 === 0
              ? store.commit([{ type: 'write', key: 'count', value, ...condition }, own])
              : store.write('count', value, condition)
          })
        }
      }),
    )
    expect(textOf((await stores[0]?.read('count'))?.value)).toBe(String(writers * 20))
  })

  test('batches without conditions on the same keys all take place, in whatever order they name them', {
    timeout: 120_000,
  }, async () => {
    const postgres = await server()
    const namespace = newNamespace()
    const store = open({ connectionString: postgres.url, namespace, timeout: 60_000 })
    const keys = ['a', 'b', 'c', 'd', 'e']
    await Promise.all(
      Array.from({ length: 100 }, (_, at) => {
        const ordered = at % 2 === 0 ? keys : [...keys].reverse()
        return store.commit(
          ordered.map((key) => ({ type: 'write', key, value: bytesOf(String(at)) })),
        )
      }),
    )
    // Whichever was last, it was last for all of them.
    const last = new Set(
      await Promise.all(keys.map(async (key) => textOf((await store.read(key))?.value))),
    )
    expect(last.size).toBe(1)
  })

  test('what a batch has found absent stays absent until it is committed', async () => {
    const postgres = await server()
    const namespace = newNamespace()
    const store = open({ connectionString: postgres.url, namespace })
    const other = open({ connectionString: postgres.url, namespace })
    await store.write('held', bytesOf('1'))
    const sql = sqlOf(postgres)
    const waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    const order: string[] = []
    let batch: Promise<void> | undefined
    let write: Promise<void> | undefined
    await sqlOf(postgres).hold(async (query) => {
      // The batch has looked, and waits for its place in the outbox to be free.
      await query('LOCK TABLE micro_store_outbox')
      batch = store
        .commit([{ type: 'check', key: 'absent', ifAbsent: true }], {
          publish: [{ topic: 't', headers: {}, body: bytesOf('1') }],
        })
        .then(() => void order.push('batch'))
      await eventually(async () => expect(await sql(waiting)).toEqual([['1']]))
      write = other.write('absent', bytesOf('1')).then(() => void order.push('write'))
      await eventually(async () => expect(await sql(waiting)).toEqual([['2']]))
      expect(order).toEqual([])
    })
    await Promise.all([batch, write])
    expect(order).toHaveLength(2)
    expect(textOf((await store.read('absent'))?.value)).toBe('1')
  })

  test('a pool with too little for all of them keeps them waiting, no longer than it says', async () => {
    const postgres = await server()
    const namespace = newNamespace()
    const options = { connectionString: postgres.url, namespace, sweepInterval: 60_000 }
    const patient = open({ ...options, maxConnections: 2 })
    await patient.write('a', bytesOf('1'))
    await Promise.all(Array.from({ length: 200 }, () => patient.read('a')))
    const store = open({ ...options, maxConnections: 2, connectTimeout: 1_000 })
    await store.connect()
    const sql = sqlOf(postgres)
    const controller = new AbortController()
    let stuck: Promise<unknown>[] = []
    await sqlOf(postgres).hold(async (query) => {
      await query('SELECT 1 FROM micro_store_records WHERE namespace = $1 FOR UPDATE', namespace)
      stuck = [1, 2].map((n) =>
        store.write('a', bytesOf(String(n)), { signal: controller.signal }).catch(() => undefined),
      )
      const waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
      await eventually(async () => expect(await sql(waiting)).toEqual([['2']]))
      const error = await expectCode(store.read('a'), 'resource_exhausted')
      expect(error.detail).toContain('maxConnections')
      controller.abort()
      await eventually(async () => expect(await store.read('a')).toBeDefined())
    })
    await Promise.all(stuck)
    expect(textOf((await store.read('a'))?.value)).toBe('1')
  })
})
