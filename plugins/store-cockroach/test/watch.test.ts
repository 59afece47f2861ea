import { eventually } from '@micro/conformance/kit'
import type { Store, StoreEvent } from '@micro/core/store'
import { describe, expect, test } from 'vitest'
import { sqlOf } from './sql.ts'
import {
  afterwards,
  binaries,
  bytesOf,
  newNamespace,
  open,
  server,
  start,
  textOf,
} from './support.ts'

const pollInterval = 10

async function watch(store: Store, prefix = '') {
  const watcher = await (store.watch as NonNullable<Store['watch']>)(prefix)
  afterwards(() => watcher[Symbol.asyncDispose]())
  return watcher
}

describe.skipIf(binaries === undefined)('watches on a real PostgreSQL', () => {
  test('a change that was begun early and committed late is not passed over', async () => {
    const postgres = await server()
    const namespace = newNamespace()
    const store = open({ connectionString: postgres.url, namespace, pollInterval })
    const watcher = await watch(store)
    const put = `INSERT INTO micro_store_changes (id, namespace, key)
      VALUES (gen_random_uuid(), '${namespace}', convert_to($1, 'UTF8'))`
    const holding = sqlOf(postgres)
    await holding.hold(async (early) => {
      await early(put, 'early')
      // Begun later, committed and seen before: its number is greater than that of what is still open.
      for (let n = 0; n < 5; n++) {
        await store.write(`late/${n}`, bytesOf('1'))
        const { value } = await watcher.next()
        expect(value).toMatchObject({ type: 'put', record: { key: `late/${n}` } })
      }
    })
    // There is no such record, so that the change is told as a deletion.
    expect((await watcher.next()).value).toEqual({ type: 'delete', key: 'early' })
    await store.write('last', bytesOf('1'))
    expect((await watcher.next()).value).toMatchObject({ type: 'put', record: { key: 'last' } })
  })

  test('many transactions of all lengths at once: the last state of every key arrives', async () => {
    const postgres = await server()
    const namespace = newNamespace()
    const options = { connectionString: postgres.url, namespace, pollInterval }
    const writers = [open(options), open(options), open(options)]
    const watcher = await watch(open(options))
    const seen = new Map<string, string | undefined>()
    let resets = 0
    const following = (async () => {
      for await (const event of watcher) {
        if (event.type === 'put') seen.set(event.record.key, textOf(event.record.value))
        else if (event.type === 'delete') seen.set(event.key, undefined)
        else resets += 1
      }
    })()
    const expected = new Map<string, string | undefined>()
    await Promise.all(
      Array.from({ length: 12 }, async (_, lane) => {
        const store = writers[lane % writers.length] as (typeof writers)[number]
        for (let n = 0; n < 60; n++) {
          const keys = [`${lane}/a`, `${lane}/b${n % 7}`, `${lane}/c${n}`]
          const value = bytesOf(`${n}`)
          if (n % 5 === 4) {
            await store.delete(keys[1] as string)
            expected.set(keys[1] as string, undefined)
          } else if (n % 3 === 0) {
            await store.write(keys[0] as string, value)
            expected.set(keys[0] as string, `${n}`)
          } else {
            await store.commit(keys.map((key) => ({ type: 'write', key, value })))
            for (const key of keys) expected.set(key, `${n}`)
          }
        }
      }),
    )
    await eventually(() => {
      for (const [key, value] of expected) expect(seen.get(key), key).toBe(value)
    }, 10_000)
    expect(resets).toBe(0)
    await watcher.return?.()
    await following
  })

  test('more changes at a time than can be told one by one begin the watch anew', async () => {
    const postgres = await server()
    const namespace = newNamespace()
    const store = open({ connectionString: postgres.url, namespace, pollInterval: 300 })
    const watcher = await watch(store)
    await sqlOf(postgres)(
      `INSERT INTO micro_store_changes (id, namespace, key)
       SELECT gen_random_uuid(), '${namespace}', convert_to(n::text, 'UTF8')
       FROM generate_series(1, 10001) AS n`,
    )
    expect((await watcher.next()).value).toEqual({ type: 'reset' })
    await store.write('a', bytesOf('1'))
    expect((await watcher.next()).value).toMatchObject({ type: 'put', record: { key: 'a' } })
  })

  test('a watch that was cut off for longer than changes are kept begins anew', async () => {
    const postgres = await start()
    const namespace = newNamespace()
    const options = { connectionString: postgres.url, namespace, timeout: 500, history: 2_000 }
    const store = open({ ...options, connectTimeout: 400, pollInterval })
    const watcher = await watch(store)
    postgres.pause()
    afterwards(() => postgres.resume())
    await eventually(() => expect(store.health().status).toBe('degraded'))
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    postgres.resume()
    expect((await watcher.next()).value).toEqual({ type: 'reset' })
  })

  test('a restarted server begins a watch anew, an outage without one does not', async () => {
    const postgres = await start()
    const namespace = newNamespace()
    const store = open({ connectionString: postgres.url, namespace, pollInterval })
    const watcher = await watch(store)
    const sql = sqlOf(postgres)
    const own =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND application_name LIKE 'micro store%'"
    await sql(own)
    await eventually(() => store.write('a', bytesOf('1')).then(() => undefined))
    expect((await watcher.next()).value).toMatchObject({ type: 'put', record: { key: 'a' } })
    await postgres.restart()
    await eventually(() => store.write('b', bytesOf('1')).then(() => undefined))
    const events: StoreEvent[] = []
    await eventually(() => expect(store.health().status).toBe('up'), 10_000)
    events.push((await watcher.next()).value as StoreEvent)
    expect(events).toEqual([{ type: 'reset' }])
  })

  test('records that lapse are swept by one instance, and by another when that is gone', async () => {
    const postgres = await server()
    const namespace = newNamespace()
    const options = { connectionString: postgres.url, namespace, sweepInterval: 20, pollInterval }
    const [first, second] = [open(options), open(options)]
    await first.connect()
    const sql = sqlOf(postgres)
    const holder = `SELECT holder FROM micro_store_roles
      WHERE namespace = '${namespace}' AND role = 'sweep' AND until > now()`
    await eventually(async () => expect(await sql(holder)).toHaveLength(1))
    const before = await sql(holder)
    await second.connect()
    const rows = `SELECT count(*) FROM micro_store_records WHERE namespace = '${namespace}'`
    const lapse = async (): Promise<void> => {
      // More than are removed at a time.
      for (let at = 0; at < 600; at += 100) {
        await second.commit(
          Array.from({ length: 100 }, (_, n) => ({
            type: 'write',
            key: `k${at + n}`,
            value: bytesOf('1'),
            ttl: 1,
          })),
        )
      }
      await eventually(async () => expect(await sql(rows)).toEqual([['0']]), 10_000)
    }
    await lapse()
    expect(await sql(holder)).toEqual(before)
    await first.close()
    await lapse()
    expect(await sql(holder)).not.toEqual(before)
  })

  test('changes are forgotten when they are old, and not before', async () => {
    const postgres = await server()
    const namespace = newNamespace()
    const store = open({
      connectionString: postgres.url,
      namespace,
      timeout: 500,
      history: 2_000,
      sweepInterval: 20,
    })
    const sql = sqlOf(postgres)
    const rows = `SELECT count(*) FROM micro_store_changes WHERE namespace = '${namespace}'`
    const began = performance.now()
    for (let n = 0; n < 50; n++) await store.write(`k${n}`, bytesOf('1'))
    const after = await sql(rows)
    if (performance.now() - began < 2_000) expect(after).toEqual([['50']])
    await eventually(async () => expect(await sql(rows)).toEqual([['0']]), 10_000)
  })
})
