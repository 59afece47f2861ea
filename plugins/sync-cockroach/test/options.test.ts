import { expectCode } from '@micro/conformance/kit'
import type { MicroError } from '@micro/core/errors'
import {
  type CockroachSyncOptions,
  cockroachSync,
  type SyncSchemaOptions,
  syncSchema,
} from '@micro/plugin-sync-cockroach'
import { describe, expect, test } from 'vitest'
import { sqlOf } from './sql.ts'
import { binaries, open, start } from './support.ts'

const connectionString = 'postgres://app:secret@127.0.0.1:5432/app'

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
  ['table', { table: 'locks; drop' }],
  ['migrate', { migrate: 1 }],
  ['pollInterval', { pollInterval: 1 }],
  ['maxConnections', { maxConnections: 0 }],
])('option %s is refused by its name', (name, more) => {
  const error = refusal(() => cockroachSync({ connectionString, ...more } as CockroachSyncOptions))
  expect(error).toMatchObject({ code: 'invalid_argument' })
  expect(error.detail).toContain(`cockroachSync option ${name} `)
})

test('the tables are printed, and wrong options are refused', () => {
  expect(syncSchema({ table: 'teams.locks' })).toContain('teams.locks_places')
  expect(syncSchema({ server: 'cockroachdb' })).toContain('CREATE SEQUENCE')
  for (const wrong of [{ server: 'mysql' }, { table: 'a-b' }, { from: 9 }, { tables: 'a' }]) {
    expect(refusal(() => syncSchema(wrong as SyncSchemaOptions)).code).toBe('invalid_argument')
  }
})

describe.skipIf(binaries === undefined)('on a real PostgreSQL', () => {
  test('an administrator makes the tables, and the sync needs no more than those', async () => {
    const postgres = await start()
    const sql = sqlOf(postgres)
    await sql('CREATE ROLE app LOGIN')
    const options = { connectionString: postgres.url.replace('postgres@', 'app@') }
    await expectCode(open(options).connect(), 'permission_denied')
    const before = open({ ...options, migrate: false })
    const missing = await expectCode(before.connect(), 'failed_precondition')
    expect(missing.detail).toContain('syncSchema({ from: 0 })')
    await sql(syncSchema())
    await sql('GRANT SELECT, INSERT, UPDATE, DELETE ON micro_sync_places, micro_sync_schema TO app')
    await sql('GRANT USAGE ON SEQUENCE micro_sync_token TO app')
    await using lock = await before.lock('a')
    await expectCode(open(options).lock('a', { wait: 0 }), 'aborted')
    expect(lock.token).toBeGreaterThan(0n)
  })
})
