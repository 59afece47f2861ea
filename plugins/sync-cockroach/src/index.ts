/**
 * Locks and leadership in CockroachDB or PostgreSQL, with fencing tokens.
 *
 * ```ts
 * import { cockroachSync } from '@micro/plugin-sync-cockroach'
 *
 * const sync = cockroachSync({ connectionString: 'postgres://app@db:26257/app' })
 * await using lock = await sync.lock('nightly-report')
 * ```
 *
 * @packageDocumentation
 */
export type { SqlOptions, SqlPool, SqlServer, SqlTls } from '@micro/sql-client'
export { cockroachSync } from './cockroach-sync.ts'
export type { CockroachSyncOptions } from './options.ts'
export { type SyncSchemaOptions, syncSchema } from './schema.ts'
