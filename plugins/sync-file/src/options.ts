import { type SqliteFileOptions, type SqliteSettings, settleFile } from '@micro/sqlite-file'

/** `durability` is of tokens: with `'normal'` one may be given out again after a loss of power. */
export interface FileSyncOptions extends SqliteFileOptions {}

/** @throws `invalid_argument`, naming the option. */
export function settle(options: FileSyncOptions): SqliteSettings {
  return settleFile('fileSync', 'sync', options, [])
}
