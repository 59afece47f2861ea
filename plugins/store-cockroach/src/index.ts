/**
 * Records in CockroachDB or PostgreSQL, with atomic batches, watch and an outbox.
 *
 * ```ts
 * import { cockroachStore } from '@micro/plugin-store-cockroach'
 *
 * const store = cockroachStore({ connectionString: 'postgres://app@db:26257/app' })
 * await store.write('greeting', new TextEncoder().encode('Hello'), { ifAbsent: true })
 * ```
 *
 * @packageDocumentation
 */

export type { SqlOptions, SqlPool, SqlServer, SqlTls } from '@micro/sql-client'
export { type CockroachStore, type CommitOptions, cockroachStore } from './cockroach-store.ts'
export { type CollectedMessages, collectMessages } from './collect-messages.ts'
export type { CockroachStoreOptions, OutboxOptions } from './options.ts'
export type { OutboxMessage } from './outbox-messages.ts'
export { type StoreSchemaOptions, storeSchema } from './schema.ts'
