import { eventually, expectCode, outcomeOf } from '@micro/conformance/kit'
import { startTcpProxy } from '@micro/test-services'
import { describe, expect, test } from 'vitest'
import { sqlOf } from './sql.ts'
import {
  aborted,
  afterwards,
  binaries,
  newNamespace,
  open,
  server,
  start,
  wait,
} from './support.ts'

const waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"

describe.skipIf(binaries === undefined)('outages of a real PostgreSQL', () => {
  test('a restart that is shorter than the ttl takes no lock away', async () => {
    const postgres = await start()
    const options = { connectionString: postgres.url, pollInterval: 20 }
    const sync = open(options)
    const lock = await sync.lock('a', { ttl: 3_000 })
    await postgres.restart()
    await wait(3_500)
    expect(lock.lost.aborted).toBe(false)
    await expectCode(open(options).lock('a', { wait: 0 }), 'aborted')
    await eventually(() => expect(sync.health().status).toBe('up'), 10_000)
  })

  test('a holder that reaches no server knows before another gets the lock', async () => {
    const postgres = await server()
    const namespace = newNamespace()
    const proxy = await startTcpProxy(postgres.port)
    afterwards(() => proxy.stop())
    const cutOff = open({
      connectionString: `postgres://postgres@127.0.0.1:${proxy.port}/postgres`,
      namespace,
      timeout: 1_500,
      connectTimeout: 1_000,
    })
    const lock = await cutOff.lock('a', { ttl: 1_000 })
    let toldFirst = false
    lock.lost.addEventListener('abort', () => {
      toldFirst = true
    })
    const other = open({ connectionString: postgres.url, namespace, pollInterval: 10 })
    const waiting = other.lock('a', { ttl: 5_000 }).then((next) => ({ next, toldFirst }))
    proxy.hold()
    const { next, toldFirst: told } = await waiting
    expect(told).toBe(true)
    expect(next.token).toBeGreaterThan(lock.token)
    expect(lock.lost.reason).toMatchObject({ code: 'aborted' })
    proxy.release()
    await lock.release()
    expect(next.lost.aborted).toBe(false)
  })

  test('a server that stands still ends no wait, and takes the lock from its holder', async () => {
    const postgres = await start()
    const options = { connectionString: postgres.url, pollInterval: 20, timeout: 1_000 }
    const [one, two] = [open(options), open(options)]
    const lock = await one.lock('a', { ttl: 1_000 })
    const waiting = two.lock('a', { ttl: 1_000 })
    await two.lock('b', { ttl: 60_000 })
    postgres.pause()
    afterwards(() => postgres.resume())
    await aborted(lock.lost)
    expect(one.health().status).toBe('degraded')
    postgres.resume()
    expect((await waiting).token).toBeGreaterThan(lock.token)
  })

  test('who waits goes on waiting over a restart, and gets the lock in the end', async () => {
    const postgres = await start()
    const options = { connectionString: postgres.url, pollInterval: 20 }
    const [one, two] = [open(options), open(options)]
    const lock = await one.lock('a', { ttl: 10_000 })
    await two.connect()
    const waiting = two.lock('a')
    await postgres.kill()
    const release = outcomeOf(lock.release())
    await wait(300)
    await postgres.restart()
    const failed = await release
    if (failed !== undefined) {
      expect(failed).toMatchObject({ code: 'unavailable' })
      await lock.release()
    }
    expect((await waiting).token).toBeGreaterThan(lock.token)
  })

  test('a lock whose answer was lost is taken all the same, and leaves nothing behind', async () => {
    const postgres = await server()
    const namespace = newNamespace()
    let cuts = 0
    const proxy = await startTcpProxy(postgres.port, (chunk) =>
      chunk.includes('lock/cut-me') && ++cuts % 2 === 1 ? 'pass-and-cut' : 'pass',
    )
    afterwards(() => proxy.stop())
    const through = open({
      connectionString: `postgres://postgres@127.0.0.1:${proxy.port}/postgres`,
      namespace,
    })
    const other = open({ connectionString: postgres.url, namespace })
    let latest = 0n
    for (let round = 0; round < 5; round++) {
      const lock = await through.lock('cut-me', { ttl: 60_000 })
      expect(lock.token).toBeGreaterThan(latest)
      await expectCode(other.lock('cut-me', { wait: 0 }), 'aborted')
      await lock.release()
      const next = await other.lock('cut-me', { wait: 0 })
      expect(next.token).toBeGreaterThan(lock.token)
      latest = next.token
      await next.release()
    }
    expect(cuts).toBeGreaterThan(5)
  })

  test('who gives up while the server is at it leaves no lock behind', async () => {
    const postgres = await server()
    const namespace = newNamespace()
    const options = { connectionString: postgres.url, namespace, pollInterval: 10 }
    const [one, two] = [open(options), open(options)]
    await (await one.lock('a', { ttl: 60_000 })).release()
    const sql = sqlOf(postgres)
    const controller = new AbortController()
    await sqlOf(postgres).hold(async (query) => {
      await query('SELECT 1 FROM micro_sync_places WHERE namespace = $1 FOR UPDATE', namespace)
      const taking = outcomeOf(one.lock('a', { ttl: 60_000, signal: controller.signal }))
      await eventually(async () => expect(await sql(waits)).toEqual([['1']]))
      const reason = new Error('mine')
      controller.abort(reason)
      expect(await taking).toBe(reason)
    })
    await two.lock('a', { ttl: 60_000, wait: 5_000 })
  })

  test('closing waits no longer than it must for a server that stands still', async () => {
    const postgres = await start()
    const options = { connectionString: postgres.url, timeout: 60_000 }
    const [one, two] = [open(options), open(options)]
    await one.lock('a', { ttl: 60_000 })
    await two.connect()
    const waiting = outcomeOf(two.lock('a'))
    postgres.pause()
    afterwards(() => postgres.resume())
    const began = performance.now()
    await Promise.all([one.close(), two.close()])
    expect(performance.now() - began).toBeLessThan(20_000)
    expect(await waiting).toMatchObject({ code: 'failed_precondition' })
  })

  test('a place that an administrator takes away is lost with the next renewal', async () => {
    const postgres = await server()
    const namespace = newNamespace()
    const options = { connectionString: postgres.url, namespace, pollInterval: 20 }
    const sync = open(options)
    const lock = await sync.lock('a', { ttl: 1_500 })
    await sqlOf(postgres)(
      "DELETE FROM micro_sync_places WHERE place = 'lock/a' AND namespace = $1",
      namespace,
    )
    const next = await open(options).lock('a', { ttl: 60_000 })
    expect(next.token).toBeGreaterThan(lock.token)
    expect(await aborted(lock.lost)).toMatchObject({ code: 'aborted' })
    expect(next.lost.aborted).toBe(false)
  })
})

describe.skipIf(binaries === undefined)('tokens on a real PostgreSQL', () => {
  test('one that was drawn before another got the lock is not used after it', async () => {
    const postgres = await server()
    const namespace = newNamespace()
    const sync = open({ connectionString: postgres.url, namespace, pollInterval: 10 })
    await (await sync.lock('a', { ttl: 60_000 })).release()
    const sql = sqlOf(postgres)
    let taking: ReturnType<typeof sync.lock> | undefined
    let other = 0n
    // Another takes and leaves it, while the first has begun already and waits for the row.
    await sqlOf(postgres).hold(async (query) => {
      await query('SELECT 1 FROM micro_sync_places WHERE namespace = $1 FOR UPDATE', namespace)
      taking = sync.lock('a', { ttl: 60_000 })
      await eventually(async () => expect(await sql(waits)).toEqual([['1']]))
      const rows = await query(
        "UPDATE micro_sync_places SET token = nextval('micro_sync_token') WHERE namespace = $1 RETURNING token",
        namespace,
      )
      other = BigInt(rows[0]?.[0] ?? '0')
    })
    expect((await taking)?.token).toBeGreaterThan(other)
  })

  test('they grow though places nobody came back to are removed', async () => {
    const postgres = await server()
    const namespace = newNamespace()
    const first = open({ connectionString: postgres.url, namespace })
    const lock = await first.lock('a')
    await lock.release()
    const sql = sqlOf(postgres)
    await sql(
      "UPDATE micro_sync_places SET expires_at = now() - interval '2 hours' WHERE namespace = $1",
      namespace,
    )
    const second = open({ connectionString: postgres.url, namespace })
    await second.connect()
    await eventually(async () =>
      expect(
        await sql('SELECT count(*) FROM micro_sync_places WHERE namespace = $1', namespace),
      ).toEqual([['0']]),
    )
    expect((await second.lock('a')).token).toBeGreaterThan(lock.token)
  })
})
