import { eventually, expectCode } from '@micro/conformance/kit'
import { MicroError } from '@micro/core/errors'
import type { Store } from '@micro/core/store'
import { startTcpProxy, type TcpProxy, type Verdict } from '@micro/test-services'
import { describe, expect, test } from 'vitest'
import { sqlOf } from './sql.ts'
import {
  afterwards,
  binaries,
  bytesOf,
  newNamespace,
  open,
  scale,
  server,
  start,
  textOf,
} from './support.ts'

const rounds = Math.max(20, Math.round(1_000 * scale))
/** In every write that a test wants to have cut. */
const marked = 'cut-me'

async function throughProxy(
  port: number,
  decide?: (chunk: Buffer) => Verdict,
): Promise<{ proxy: TcpProxy; url: string }> {
  const proxy = await startTcpProxy(port, decide)
  afterwards(() => proxy.stop())
  return { proxy, url: `postgres://postgres@127.0.0.1:${proxy.port}/postgres` }
}

async function count(store: Store, key: string): Promise<number> {
  return Number(textOf((await store.read(key))?.value) ?? '0')
}

describe.skipIf(binaries === undefined)('outages of a real PostgreSQL', () => {
  test('killed and restarted under load: what was acknowledged is there, and a watch goes on', {
    timeout: 120_000,
  }, async () => {
    const postgres = await start()
    const namespace = newNamespace()
    const options = { connectionString: postgres.url, namespace, pollInterval: 20 }
    const store = open(options)
    const watcher = await open(options).watch('')
    const state = new Map<string, string | undefined>()
    const reader = open(options)
    let resets = 0
    const following = (async () => {
      for await (const event of watcher) {
        if (event.type === 'put') state.set(event.record.key, textOf(event.record.value))
        if (event.type === 'delete') state.delete(event.key)
        if (event.type !== 'reset') continue
        resets += 1
        await eventually(async () => {
          for await (const { key, value } of reader.list()) state.set(key, textOf(value))
        }, 10_000)
      }
    })()
    const acknowledged = new Map<string, string>()
    let writes = 0
    let isOver = false
    const write = async (worker: number): Promise<void> => {
      for (let n = 1; !isOver; n++) {
        const key = `k${worker}/${n % 50}`
        const value = `${worker} ${n}`
        try {
          if (n % 3 === 0) {
            await store.commit([
              { type: 'write', key, value: bytesOf(value) },
              { type: 'write', key: `${key}/twin`, value: bytesOf(value) },
            ])
            acknowledged.set(`${key}/twin`, value)
          } else await store.write(key, bytesOf(value))
          acknowledged.set(key, value)
          writes += 1
        } catch (error) {
          expect(error).toMatchObject({ code: 'unavailable' })
          // What it left may be the old or the new one.
          acknowledged.delete(key)
          acknowledged.delete(`${key}/twin`)
        }
      }
    }
    const writers = Array.from({ length: 8 }, (_, worker) => write(worker))
    for (let kill = 0; kill < Math.max(3, rounds / 10); kill++) {
      // All of them are back at work.
      const enough = writes + 100
      await eventually(() => expect(writes).toBeGreaterThan(enough), 20_000)
      await postgres.restart()
    }
    isOver = true
    await Promise.all(writers)
    expect(acknowledged.size).toBeGreaterThan(10)
    for (const [key, value] of acknowledged) {
      expect(textOf((await reader.read(key))?.value), key).toBe(value)
    }
    await eventually(() => {
      for (const [key, value] of acknowledged) expect(state.get(key), key).toBe(value)
    }, 10_000)
    expect(resets).toBeGreaterThan(0)
    await eventually(() => expect(reader.health().status).toBe('up'), 10_000)
    await watcher.return?.()
    await following
  })

  test.each<Verdict>(['cut', 'pass-and-cut'])(
    `${rounds} batches whose COMMIT is lost (%s) take place once each`,
    async (verdict) => {
      const postgres = await server()
      let commits = 0
      let cuts = 0
      const { url } = await throughProxy(postgres.port, (chunk) => {
        if (!chunk.includes('COMMIT\0') || ++commits % 2 === 0) return 'pass'
        cuts += 1
        return verdict
      })
      const store = open({
        connectionString: url,
        namespace: newNamespace(),
        sweepInterval: 60_000,
      })
      for (let round = 1; round <= rounds; round++) {
        const found = await store.read('count')
        const condition = found === undefined ? { ifAbsent: true } : { ifVersion: found.version }
        const value = bytesOf(String((await count(store, 'count')) + 1))
        const [version] = await store.commit([
          { type: 'write', key: 'count', value, ...condition },
          { type: 'write', key: `round ${round}`, value, ifAbsent: true },
        ])
        expect((await store.read('count'))?.version).toBe(version)
      }
      expect(await count(store, 'count')).toBe(rounds)
      expect(cuts).toBeGreaterThanOrEqual(Math.floor(rounds / 2))
    },
  )

  test.each<Verdict>(['cut', 'pass-and-cut'])(
    'single writes and deletes whose answer is lost (%s) take place once each',
    async (verdict) => {
      const postgres = await server()
      let seen = 0
      let cuts = 0
      const { url } = await throughProxy(postgres.port, (chunk) => {
        if (!chunk.includes(marked) || ++seen % 2 === 0) return 'pass'
        cuts += 1
        return verdict
      })
      const namespace = newNamespace()
      const store = open({ connectionString: url, namespace, sweepInterval: 60_000 })
      const direct = open({ connectionString: postgres.url, namespace })
      for (let round = 0; round < rounds; round++) {
        const key = `${marked}/${round}`
        const first = await store.write(key, bytesOf('1'), { ifAbsent: true })
        expect((await direct.read(key))?.version).toBe(first)
        const second = await store.write(key, bytesOf('2'), { ifVersion: first })
        expect((await direct.read(key))?.version).toBe(second)
        expect(await store.delete(key, { ifVersion: second })).toBe(true)
        expect(await store.delete(key)).toBe(false)
      }
      expect(cuts).toBeGreaterThan(rounds)
      const sql = sqlOf(postgres)
      const changes = await sql(
        'SELECT count(*) FROM micro_store_changes WHERE key IS NOT NULL AND namespace = $1',
        namespace,
      )
      expect(changes).toEqual([[String(3 * rounds)]])
    },
  )

  test('a write that still waits in the server when its connection is lost never takes place', async () => {
    const postgres = await server()
    const { proxy, url } = await throughProxy(postgres.port)
    const namespace = newNamespace()
    const store = open({ connectionString: url, namespace, sweepInterval: 60_000 })
    const sql = sqlOf(postgres)
    await store.write('a', bytesOf('1'))
    const waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    let write: Promise<string> | undefined
    // Somebody holds the record, so that the write has begun and cannot go on.
    await sqlOf(postgres).hold(async (query) => {
      await query('SELECT 1 FROM micro_store_records WHERE namespace = $1 FOR UPDATE', namespace)
      write = store.write('a', bytesOf('2'))
      await eventually(async () => expect(await sql(waiting)).toEqual([['1']]))
      proxy.cutAll()
      // It is tried again, while the first still waits.
      await eventually(async () => expect(await sql(waiting)).toEqual([['2']]))
    })
    const version = await write
    expect((await store.read('a'))?.version).toBe(version)
    await eventually(async () => expect(await sql(waiting)).toEqual([['0']]))
    const found = await sql(
      'SELECT voided, count(*) FROM micro_store_changes WHERE namespace = $1 GROUP BY 1 ORDER BY 1',
      namespace,
    )
    expect(found).toEqual([
      ['f', '2'],
      ['t', '1'],
    ])
  })

  test('what cannot be found out in time is said to be unknown', async () => {
    const postgres = await server()
    const { proxy, url } = await throughProxy(postgres.port, (chunk) => {
      if (!chunk.includes(marked)) return 'pass'
      // The server has it, and nobody can ask it any more.
      setImmediate(() => proxy.hold())
      return 'pass-and-cut'
    })
    const namespace = newNamespace()
    const store = open({
      connectionString: url,
      namespace,
      timeout: 2_000,
      connectTimeout: 500,
      sweepInterval: 60_000,
    })
    await store.connect()
    const error = await expectCode(store.write(marked, bytesOf('1')), 'unavailable')
    expect(error.processed).toBe('unknown')
    expect(store.health().status).toBe('degraded')
    const direct = open({ connectionString: postgres.url, namespace })
    expect(textOf((await direct.read(marked))?.value)).toBe('1')
  })

  test('a server that stands still: calls end in time, the store heals when it goes on', async () => {
    const postgres = await start()
    const store = open({ connectionString: postgres.url, timeout: 1_500, connectTimeout: 1_000 })
    await store.write('a', bytesOf('1'))
    postgres.pause()
    afterwards(() => postgres.resume())
    await expectCode(store.read('a'), 'unavailable')
    const error = await expectCode(store.write('a', bytesOf('2')), 'unavailable')
    expect(MicroError.is(error)).toBe(true)
    expect(store.health().status).toBe('degraded')
    postgres.resume()
    await eventually(async () => expect(await store.read('a')).toBeDefined(), 10_000)
    await store.write('a', bytesOf('3'))
    expect(textOf((await store.read('a'))?.value)).toBe('3')
    await eventually(() => expect(store.health().status).toBe('up'), 10_000)
  })
})
