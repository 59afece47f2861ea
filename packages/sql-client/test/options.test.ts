import type { MicroError } from '@micro/core/errors'
import { type SqlOptions, settleSql } from '@micro/sql-client'
import { expect, test } from 'vitest'

const url = 'postgres://app:secret@db:5432/app'

function refusal(options: object): MicroError {
  try {
    settleSql('factory', options as SqlOptions, ['own'])
  } catch (error) {
    return error as MicroError
  }
  throw new Error('it was taken')
}

test('defaults are settled, and own names are left to the plugin', () => {
  expect(
    settleSql('factory', { connectionString: url, own: 1 } as SqlOptions, ['own']),
  ).toMatchObject({
    maxConnections: 10,
    connectTimeout: 5_000,
    timeout: 10_000,
    prepare: true,
    host: 'db:5432',
  })
})

test.each<[string, object]>([
  ['conectionString', { conectionString: url }],
  ['connectionString', {}],
  ['connectionString', { connectionString: 'db:5432' }],
  ['connectionString', { connectionString: 'mysql://app:secret@db/app' }],
  ['maxConnections', { connectionString: url, maxConnections: 0 }],
  ['connectTimeout', { connectionString: url, connectTimeout: 1 }],
  ['timeout', { connectionString: url, timeout: Number.NaN }],
  ['prepare', { connectionString: url, prepare: 'yes' }],
  ['password', { connectionString: url, password: 1 }],
  ['pool', { pool: {} }],
  ['maxConnections', { pool: { connect: () => 0, on: () => 0 }, maxConnections: 5 }],
  ['tls.ca', { connectionString: url, tls: { ca: '/etc/ca.pem' } }],
  ['tls.cert', { connectionString: url, tls: { key: '-----BEGIN ' } }],
  ['tls.pfx', { connectionString: url, tls: { pfx: 'x' } }],
  ['tls', { connectionString: `${url}?sslmode=require`, tls: {} }],
])('%s is refused by its name, and no secret is shown', (name, options) => {
  const error = refusal(options)
  expect(error).toMatchObject({ code: 'invalid_argument' })
  expect(error.detail).toContain(`factory option ${name} `)
  expect(error.detail).not.toContain('secret')
})
