/**
 * What the SQL plugins share, on the package `pg`: options, a pool whose failures end no process, calls
 * with a time limit that reach the server, retries that never do a thing twice, and migrations.
 *
 * @packageDocumentation
 */
export {
  createDatabase,
  type Database,
  type Isolation,
  type RunOptions,
  type Session,
  type SqlServer,
} from './database.ts'
export { fromSql } from './errors.ts'
export { migrate, printSchema, type Schema } from './migrate.ts'
export {
  checkNamespace,
  checkRange,
  checkTable,
  type Refuse,
  refuser,
  type SqlOptions,
  type SqlSettings,
  type SqlTls,
  settleSql,
} from './options.ts'
export type { SqlPool, SqlPoolClient, SqlQuery, SqlResult } from './pool.ts'
export { bytesOf, prepared, type Statement } from './statement.ts'
