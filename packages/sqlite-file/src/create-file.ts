import { randomUUID } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { SqliteSettings } from './options.ts'

/** What is in a file. */
export interface Layout {
  /** Marks the file as this plugin's, in its header. */
  readonly applicationId: number
  /** A file of a newer one is refused. */
  readonly version: number
  /** SQL that makes the tables. */
  readonly tables: string
}

/**
 * Makes the file if it is missing: whole, under another name, and only then under its own. So a file
 * that is there and empty is always a damaged one, and never one that somebody is about to fill.
 */
export function createFile(settings: SqliteSettings, layout: Layout): void {
  const { directory, file } = settings
  const firstMade = mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (existsSync(file)) return
  const draft = `${file}.${randomUUID()}.new`
  try {
    // For its user only; SQLite gives its other files the mode of this one. No connection has it yet:
    // closing a file that has one would drop that one's locks.
    closeSync(openSync(draft, 'wx', 0o600))
    const database = new DatabaseSync(draft)
    try {
      // The order matters: the first is for files without tables only, and write-ahead logging comes last.
      // Nothing is flushed on the way: a draft that is not finished is nobody's.
      database.exec(`
        PRAGMA auto_vacuum = INCREMENTAL;
        PRAGMA journal_mode = MEMORY;
        PRAGMA synchronous = OFF;
        PRAGMA application_id = ${layout.applicationId};
        PRAGMA user_version = ${layout.version};
        BEGIN;
        ${layout.tables}
        COMMIT;
        PRAGMA journal_mode = WAL;
      `)
    } finally {
      database.close()
    }
    syncToDisk(draft)
    try {
      linkSync(draft, file)
    } catch (error) {
      // Another process was faster.
      if ((error as { code?: string }).code !== 'EEXIST') throw error
    }
  } finally {
    rmSync(draft, { force: true })
  }
  const until = firstMade === undefined ? directory : dirname(firstMade)
  for (let at = directory; ; at = dirname(at)) {
    syncToDisk(at)
    if (at === until || at === dirname(at)) return
  }
}

function syncToDisk(path: string): void {
  // Windows has no such thing for directories, and does not need it.
  if (process.platform === 'win32') return
  const handle = openSync(path, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
