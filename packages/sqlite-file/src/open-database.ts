import { accessSync, constants, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { MicroError } from '@micro/core/errors'
import { createFile, type Layout } from './create-file.ts'
import { damaged } from './errors.ts'
import type { SqliteSettings } from './options.ts'

/** Milliseconds that SQLite itself may stop the event loop for, while another process writes. */
const blockFor = 5

/**
 * Opens the file, and makes it if it is missing.
 *
 * @throws `data_loss` if it is damaged, `failed_precondition` if it is another's; what SQLite and the
 * file system throw, untranslated.
 */
export function openDatabase(settings: SqliteSettings, layout: Layout): DatabaseSync {
  const { file, verifyBytes } = settings
  createFile(settings, layout)
  // Before SQLite, which says of all of these only that it cannot open the file.
  accessSync(file, constants.R_OK | constants.W_OK)
  const status = statSync(file)
  if (!status.isFile()) throw Object.assign(new Error('not a file'), { code: 'EISDIR' })
  if (status.size < 512) throw damaged(file, `it has ${status.size} bytes only`)
  const database = new DatabaseSync(file)
  try {
    database.exec(`
      PRAGMA busy_timeout = ${blockFor};
      PRAGMA cell_size_check = ON;
      PRAGMA trusted_schema = OFF;
      PRAGMA cache_size = -8192;
      PRAGMA mmap_size = 0;
    `)
    requireLayout(database, file, layout)
    const { journal_mode: mode } = rowOf(database, 'PRAGMA journal_mode = WAL')
    if (mode !== 'wal') {
      throw new MicroError(
        'failed_precondition',
        `${file}: its file system has no shared memory (journal mode ${String(mode)}); use a local disk`,
      )
    }
    database.exec(`
      PRAGMA fullfsync = ON;
      PRAGMA checkpoint_fullfsync = ON;
      PRAGMA wal_autocheckpoint = 0;
      PRAGMA synchronous = ${settings.durability};
    `)
    const { page_count: pages } = rowOf(database, 'PRAGMA page_count')
    const { page_size: size } = rowOf(database, 'PRAGMA page_size')
    if (Number(pages) * Number(size) <= verifyBytes) {
      const { integrity_check: found } = rowOf(database, 'PRAGMA integrity_check(1)')
      if (found !== 'ok') throw damaged(file, String(found))
    }
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

function requireLayout(database: DatabaseSync, file: string, layout: Layout): void {
  const { application_id: id } = rowOf(database, 'PRAGMA application_id')
  const { user_version: version } = rowOf(database, 'PRAGMA user_version')
  if (id !== layout.applicationId) {
    throw new MicroError(
      'failed_precondition',
      `${file}: it is a database of something else; give another directory or namespace`,
    )
  }
  if (Number(version) === layout.version) return
  throw new MicroError(
    'failed_precondition',
    `${file}: its layout is ${String(version)}, and this version of the plugin knows ${layout.version}; ` +
      'install the version that wrote it, or a newer one',
  )
}

export function rowOf(database: DatabaseSync, sql: string): Record<string, unknown> {
  return database.prepare(sql).get() ?? {}
}
