import { once } from 'node:events'
import { Context, runInContext } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import { type Database, prepared } from '@micro/sql-client'
import { makeAuthority, startPostgres, startTcpProxy } from '@micro/test-services'
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { afterwards, binaries, eventually, expectCode, open, postgres } from './support.ts'

const one = prepared('SELECT 1')
const sleeping =
  "SELECT pid, application_name FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' AND pid <> pg_backend_pid()"

async function scalar(database: Database, text: string): Promise<string | null | undefined> {
  const { rows } = await database.query({ text }, [], { repeatable: true })
  return rows[0]?.[0]
}

async function isSleeping(database: Database): Promise<boolean> {
  return (await database.query({ text: sleeping }, [])).rows.length > 0
}

describe.skipIf(postgres === undefined)('a database', () => {
  test('is reached when it is first needed, and tells what it is', async () => {
    const database = open()
    expect(await database.server()).toBe('postgresql')
    expect((await database.query(one, [])).rows).toEqual([['1']])
    expect(database.problem).toBeUndefined()
  })

  test('an abort ends the wait at once, and what the server is doing', async () => {
    const database = open()
    const observer = open()
    const controller = new AbortController()
    const reason = new Error('mine')
    const sleep = database.query({ text: 'SELECT pg_sleep(60)' }, [], { signal: controller.signal })
    await eventually(async () => expect(await isSleeping(observer)).toBe(true))
    controller.abort(reason)
    await expect(sleep).rejects.toBe(reason)
    await eventually(async () => expect(await isSleeping(observer)).toBe(false))
    expect((await database.query(one, [])).rows).toEqual([['1']])
  })

  test('a call takes no longer than its limit, and the server ends it too', async () => {
    const database = open({ timeout: 200 })
    const observer = open()
    const sleep = database.query({ text: 'SELECT pg_sleep(60)' }, [])
    const error = await expectCode(sleep, 'unavailable')
    expect(error).toMatchObject({ processed: 'unknown' })
    expect(error.detail).toContain('200 ms')
    await eventually(async () => expect(await isSleeping(observer)).toBe(false))
  })

  test('the deadline of the call that is being handled holds where it is nearer', async () => {
    const database = open()
    const observer = open()
    const context = new Context(undefined, { timeout: 100 })
    const sleep = runInContext(context, () => database.query({ text: 'SELECT pg_sleep(60)' }, []))
    await expectCode(sleep, 'deadline_exceeded')
    await eventually(async () => expect(await isSleeping(observer)).toBe(false))
    context.finish()
  })

  test('the server’s own limit within a transaction is what is left of the call', async () => {
    const database = open({ timeout: 5_000 })
    const limit = await database.run((session) =>
      session.transaction('serializable', async () => {
        const { rows } = await session.query({ text: 'SHOW statement_timeout' })
        return rows[0]?.[0]
      }),
    )
    expect(limit).toMatch(/^[56]\d*(ms|s)$/)
    expect(await scalar(database, 'SHOW statement_timeout')).toBe('6s')
  })

  test('a pool without a free connection refuses in time, by the name of the option', async () => {
    const database = open({ maxConnections: 2, connectTimeout: 500 })
    const controller = new AbortController()
    const { signal } = controller
    const busy = [1, 2].map(() =>
      database.query({ text: 'SELECT pg_sleep(60)' }, [], { signal }).catch(() => undefined),
    )
    const refused = await Promise.all(
      Array.from({ length: 20 }, () => expectCode(database.query(one, []), 'resource_exhausted')),
    )
    for (const error of refused) {
      expect(error.detail).toContain('maxConnections')
      expect(error.processed).toBe('no')
    }
    controller.abort()
    await Promise.all(busy)
    await eventually(async () => {
      expect((await database.query(one, [])).rows).toEqual([['1']])
    })
  })

  test('who gives up waiting for a connection takes none away', async () => {
    const database = open({ maxConnections: 1 })
    const busy = database.query({ text: 'SELECT pg_sleep(0.3)' }, [])
    const controller = new AbortController()
    const waiting = database.query(one, [], { signal: controller.signal })
    controller.abort(new Error('mine'))
    await expect(waiting).rejects.toThrow('mine')
    await busy
    expect((await database.query(one, [])).rows).toEqual([['1']])
  })

  test('a connection that is lost while nobody uses it, or between statements, ends nothing', async () => {
    const database = open({ maxConnections: 1 })
    const killer = open()
    const pid = await scalar(database, 'SELECT pg_backend_pid()')
    await killer.query({ text: 'SELECT pg_terminate_backend($1)' }, [pid])
    await eventually(async () =>
      expect(await scalar(database, 'SELECT pg_backend_pid()')).not.toBe(pid),
    )

    let attempts = 0
    const done = await database.run(
      async (session) => {
        attempts += 1
        const { rows } = await session.query({ text: 'SELECT pg_backend_pid()' })
        if (attempts === 1) {
          await killer.query({ text: 'SELECT pg_terminate_backend($1)' }, [rows[0]?.[0]])
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
        await session.query(one)
        return 'done'
      },
      { repeatable: true },
    )
    expect([done, attempts]).toEqual(['done', 2])
  })

  test('what is lost without an answer is not done again unless it may be', async () => {
    const proxy = await startTcpProxy(postgres?.port ?? 0, (chunk) =>
      chunk.includes('pg_sleep(0.123)') ? 'cut' : 'pass',
    )
    afterwards(() => proxy.stop())
    const database = open({
      connectionString: `postgres://postgres@127.0.0.1:${proxy.port}/postgres`,
    })
    const error = await expectCode(
      database.query({ text: 'SELECT pg_sleep(0.123)' }, []),
      'unavailable',
    )
    expect(error.processed).toBe('unknown')
    expect(database.problem).toBe(error)
    const inside = await expectCode(
      database.run((session) =>
        session.transaction('serializable', () =>
          session.query({ text: 'SELECT pg_sleep(0.123)' }),
        ),
      ),
      'unavailable',
    )
    expect(inside.processed).toBe('no')
  })

  test('transactions that meet are done again until all have taken place', async () => {
    const database = open()
    await database.query({ text: 'CREATE TABLE counts (n integer)' }, [])
    await database.query({ text: 'INSERT INTO counts VALUES (0)' }, [])
    let runs = 0
    const increment = () =>
      database.run((session) =>
        session.transaction('serializable', async () => {
          runs += 1
          const { rows } = await session.query({ text: 'SELECT n FROM counts' })
          await session.query({ text: 'UPDATE counts SET n = $1' }, [Number(rows[0]?.[0]) + 1])
        }),
      )
    await Promise.all(Array.from({ length: 40 }, increment))
    expect(await scalar(database, 'SELECT n FROM counts')).toBe('40')
    expect(runs).toBeGreaterThan(40)
  })

  test('a failure within a transaction undoes it, and the connection is good for more', async () => {
    const database = open({ maxConnections: 1 })
    await database.query({ text: 'CREATE TABLE undone (n integer)' }, [])
    const work = database.run((session) =>
      session.transaction('serializable', async () => {
        await session.query({ text: 'INSERT INTO undone VALUES (1)' })
        throw new MicroError('aborted', 'no')
      }),
    )
    await expectCode(work, 'aborted')
    expect(await scalar(database, 'SELECT count(*) FROM undone')).toBe('0')
  })

  test('a pool of the caller’s own is used, and left open', async () => {
    const pool = new pg.Pool({ connectionString: postgres?.url ?? '', max: 2 })
    afterwards(() => pool.end())
    // Parsers of its own make no difference.
    const database = open({ pool })
    expect(await database.server()).toBe('postgresql')
    await database.close()
    await expectCode(database.query(one, []), 'failed_precondition')
    expect((await pool.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }])
    expect(pool.listenerCount('error')).toBe(0)
  })

  test('closing ends what is under way', async () => {
    const database = open()
    const sleep = database.query({ text: 'SELECT pg_sleep(60)' }, [])
    const outcome = expectCode(sleep, 'failed_precondition')
    await database.close()
    await outcome
    const observer = open()
    await eventually(async () => expect(await isSleeping(observer)).toBe(false))
  })

  test('without prepared statements it works as well', async () => {
    const database = open({ prepare: false, maxConnections: 1 })
    await database.query(one, [])
    expect(await scalar(database, 'SELECT count(*) FROM pg_prepared_statements')).toBe('0')
    const other = open({ maxConnections: 1 })
    await other.query(one, [])
    expect(await scalar(other, 'SELECT count(*) FROM pg_prepared_statements')).toBe('1')
  })

  test('what is wrong is told with the place and the fix', async () => {
    const refused = await expectCode(
      open({ connectionString: 'postgres://u:secret@127.0.0.1:1/x' }).query(one, []),
      'unavailable',
    )
    expect(refused.processed).toBe('no')
    expect(refused.detail).toContain('127.0.0.1:1')
    expect(refused.detail).not.toContain('secret')
    const missing = open({
      connectionString: `postgres://postgres@127.0.0.1:${postgres?.port}/nope`,
    })
    await expectCode(missing.query(one, []), 'failed_precondition')
    const stranger = open({
      connectionString: `postgres://nobody@127.0.0.1:${postgres?.port}/postgres`,
    })
    await expectCode(stranger.query(one, []), 'unauthenticated')
    await expectCode(open().query({ text: 'SELECT * FROM nowhere' }, []), 'failed_precondition')
    await expectCode(open().query({ text: 'SELECT !' }, []), 'internal')
  })

  test('a server that takes connections and says nothing holds nobody up', async () => {
    const proxy = await startTcpProxy(postgres?.port ?? 0)
    afterwards(() => proxy.stop())
    proxy.hold()
    const database = open({
      connectionString: `postgres://postgres@127.0.0.1:${proxy.port}/postgres`,
      connectTimeout: 300,
      timeout: 1_000,
    })
    await expectCode(database.query(one, []), 'unavailable')
    proxy.release()
    await eventually(async () => {
      expect((await database.query(one, [])).rows).toEqual([['1']])
    })
  })

  test('garbage instead of the protocol is an error like others', async () => {
    const { createServer } = await import('node:net')
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    afterwards(() => server.close())
    const { port } = server.address() as { port: number }
    const database = open({
      connectionString: `postgres://postgres@127.0.0.1:${port}/x`,
      connectTimeout: 300,
      timeout: 1_000,
    })
    await expectCode(database.query(one, []), 'unavailable')
  })
})

describe.skipIf(binaries === undefined)('a database over TLS', () => {
  test('is verified, asks for a certificate, and is told to cancel over TLS', async () => {
    const authority = makeAuthority()
    const server = await startPostgres(binaries ?? '', {
      tls: { ca: authority.cert, ...authority.issue('db'), clientCertificates: true },
    })
    afterwards(() => server.stop())
    const client = authority.issue('client')
    const url = { connectionString: server.url }
    const tls = { ca: authority.cert, ...client }
    const database = open({ ...url, tls })
    expect(await scalar(database, 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).toBe(
      't',
    )
    const controller = new AbortController()
    const sleep = database.query({ text: 'SELECT pg_sleep(60)' }, [], { signal: controller.signal })
    await eventually(async () => expect(await isSleeping(database)).toBe(true))
    controller.abort(new Error('mine'))
    await expect(sleep).rejects.toThrow('mine')
    await eventually(async () => expect(await isSleeping(database)).toBe(false))

    const stranger = makeAuthority()
    const untrusted = open({ ...url, tls: { ...tls, ca: stranger.cert } })
    expect((await expectCode(untrusted.query(one, []), 'failed_precondition')).detail).toContain(
      'tls',
    )
    await expectCode(
      open({ ...url, tls: { ca: authority.cert } }).query(one, []),
      'unauthenticated',
    )
    await expectCode(open(url).query(one, []), 'unauthenticated')
    const plain = open({ connectionString: postgres?.url ?? '', tls: { ca: authority.cert } })
    expect((await expectCode(plain.query(one, []), 'failed_precondition')).detail).toContain('SSL')
  })
})
