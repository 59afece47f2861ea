/**
 * A durable SQLite file that several processes of one machine share: what `@micro/plugin-store-file` and
 * `@micro/plugin-sync-file` stand on.
 *
 * @packageDocumentation
 */

export type { Layout } from './create-file.ts'
export { refuseOption, type SqliteFileOptions, type SqliteSettings, settleFile } from './options.ts'
export {
  type ChangeOptions,
  createSqliteFile,
  type SqliteFile,
  type SqliteFileSetup,
} from './sqlite-file.ts'
