import { expectCode } from '@micro/conformance/kit'
import { memoryBroker } from '@micro/core/broker'
import type { MicroError } from '@micro/core/errors'
import {
  type CockroachStoreOptions,
  cockroachStore,
  type StoreSchemaOptions,
  storeSchema,
} from '@micro/plugin-store-cockroach'
import { describe, expect, test } from 'vitest'
import { sqlOf } from './sql.ts'
import { binaries, bytesOf, newNamespace, open, server } from './support.ts'

const connectionString = 'postgres://app:secret@127.0.0.1:5432/app'
const broker = memoryBroker()

function refusal(work: () => unknown): MicroError {
  try {
    work()
  } catch (error) {
    return error as MicroError
  }
  throw new Error('it was taken')
}

test.each<[string, object]>([
  ['namspace', { namspace: 'a' }],
  ['namespace', { namespace: '' }],
  ['namespace', { namespace: 'a b' }],
  ['table', { table: 'records; drop' }],
  ['table', { table: 'A' }],
  ['migrate', { migrate: 'no' }],
  ['pollInterval', { pollInterval: 0 }],
  ['sweepInterval', { sweepInterval: -1 }],
  ['history', { history: 10_000, timeout: 10_000 }],
  ['maxValueBytes', { maxValueBytes: 0 }],
  ['outbox.broker', { outbox: {} }],
  ['outbox.interval', { outbox: { broker, interval: 1 } }],
  ['outbox.batch', { outbox: { broker, batch: 0 } }],
  ['outbox.pollInterval', { outbox: { broker, pollInterval: 0 } }],
])('option %s is refused by its name', (name, more) => {
  const error = refusal(() =>
    cockroachStore({ connectionString, ...more } as CockroachStoreOptions),
  )
  expect(error).toMatchObject({ code: 'invalid_argument' })
  expect(error.detail).toContain(`cockroachStore option ${name} `)
})

test('the tables are printed for either server, and wrong options are refused', () => {
  const postgres = storeSchema({ table: 'teams.orders' })
  expect(postgres).toContain('CREATE TABLE IF NOT EXISTS teams.orders_records')
  expect(postgres).toContain('pg_current_xact_id()')
  const cockroach = storeSchema({ server: 'cockroachdb' })
  expect(cockroach).toContain('cluster_logical_timestamp()')
  expect(cockroach).toContain('ttl_expiration_expression')
  expect(cockroach).not.toContain('xid8')
  for (const wrong of [{ server: 'mysql' }, { table: 'a-b' }, { from: 9 }, { tables: 'a' }]) {
    expect(refusal(() => storeSchema(wrong as StoreSchemaOptions)).code).toBe('invalid_argument')
  }
})

describe.skipIf(binaries === undefined)('on a real PostgreSQL', () => {
  test('an administrator makes the tables, and the store may read and write no more than those', async () => {
    const postgres = await server()
    const sql = sqlOf(postgres)
    await sql('CREATE ROLE app LOGIN')
    const options = {
      connectionString: postgres.url.replace('postgres@', 'app@'),
      table: 'teams.orders',
      namespace: newNamespace(),
    }
    await expectCode(open(options).connect(), 'failed_precondition')
    const before = open({ ...options, migrate: false })
    const missing = await expectCode(before.connect(), 'failed_precondition')
    expect(missing.detail).toContain('storeSchema({ from: 0 })')

    await sql('CREATE SCHEMA teams')
    await sql('GRANT USAGE ON SCHEMA teams TO app')
    await expectCode(open(options).connect(), 'permission_denied')
    await sql(storeSchema({ table: 'teams.orders' }))
    await sql('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA teams TO app')
    await sql('GRANT USAGE ON ALL SEQUENCES IN SCHEMA teams TO app')
    for (const migrate of [true, false]) {
      const store = open({ ...options, migrate })
      const version = await store.write('a', bytesOf('1'))
      await store.commit([{ type: 'write', key: 'a', value: bytesOf('2'), ifVersion: version }], {
        publish: [{ topic: 't', headers: {}, body: bytesOf('1') }],
      })
      await store.delete('a')
    }
    // What could not be reached can be by now.
    await before.write('a', bytesOf('1'))
  })

  test('a value over the limit is refused by the name of the option', async () => {
    const postgres = await server()
    const options = { connectionString: postgres.url, namespace: newNamespace() }
    const store = open({ ...options, maxValueBytes: 10 })
    const value = new Uint8Array(11)
    const error = await expectCode(store.write('a', value), 'resource_exhausted')
    expect(error.detail).toContain('maxValueBytes')
    await expectCode(store.commit([{ type: 'write', key: 'a', value }]), 'resource_exhausted')
    expect(await store.read('a')).toBeUndefined()
    await store.write('a', value.subarray(1))
  })

  test('without prepared statements all goes as well', async () => {
    const postgres = await server()
    const store = open({
      connectionString: postgres.url,
      namespace: newNamespace(),
      prepare: false,
    })
    const version = await store.write('a', bytesOf('1'), { ttl: 60_000, metadata: { a: 'b' } })
    expect(await store.read('a')).toMatchObject({ version, metadata: { a: 'b' } })
    expect(await Array.fromAsync(store.list({ prefix: 'a' }))).toHaveLength(1)
    expect(await store.delete('a', { ifVersion: version })).toBe(true)
  })
})
