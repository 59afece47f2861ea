import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import type { StoreRecord } from '@micro/core/store'
import type { Layout } from '@micro/sqlite-file'

/**
 * Keys are TEXT in UTF-8 under the collation BINARY, which orders by bytes. The value is the last column,
 * so that a listing of keys need not read it.
 *
 * Every change is one row of `changes`, and its number is the version of what was written: the greatest
 * one is the counter, and its row is never removed.
 */
export const layout: Layout = {
  applicationId: 0x6d_63_73_74,
  version: 1,
  tables: `
    CREATE TABLE records (
      id INTEGER PRIMARY KEY,
      key TEXT NOT NULL UNIQUE,
      version INTEGER NOT NULL,
      expires INTEGER,
      head_sum INTEGER NOT NULL,
      value_sum INTEGER NOT NULL,
      metadata TEXT,
      value BLOB NOT NULL
    ) STRICT;
    CREATE INDEX records_by_expiry ON records (expires) WHERE expires IS NOT NULL;
    CREATE TABLE changes (number INTEGER PRIMARY KEY, key TEXT NOT NULL) STRICT;
  `,
}

/** A row of `records`; `value` is absent where only keys were asked for. */
export interface Row {
  readonly key: string
  readonly version: number
  readonly expires: number | null
  readonly head_sum: number
  readonly value_sum: number
  readonly metadata: string | null
  readonly value?: Uint8Array
}

/** The statements, each of which works on few rows. */
export interface Statements {
  readonly read: StatementSync
  readonly head: StatementSync
  /** From a key on, that key included. */
  readonly first: StatementSync
  readonly firstOfKeys: StatementSync
  /** Behind a key. */
  readonly page: StatementSync
  readonly pageOfKeys: StatementSync
  readonly write: StatementSync
  readonly remove: StatementSync
  readonly lapsed: StatementSync
  readonly lastChange: StatementSync
  readonly addChange: StatementSync
  readonly trimChanges: StatementSync
  readonly changesAfter: StatementSync
}

export function prepare(database: DatabaseSync): Statements {
  const all = 'key, version, expires, head_sum, value_sum, metadata'
  const range = (columns: string, from: string): StatementSync =>
    database.prepare(`SELECT ${columns} FROM records WHERE key ${from} ? ORDER BY key LIMIT ?`)
  return {
    read: database.prepare(`SELECT ${all}, value FROM records WHERE key = ?`),
    head: database.prepare('SELECT version, expires FROM records WHERE key = ?'),
    first: range(`${all}, value`, '>='),
    firstOfKeys: range(all, '>='),
    page: range(`${all}, value`, '>'),
    pageOfKeys: range(all, '>'),
    write: database.prepare(`
      INSERT INTO records (${all}, value) VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (key) DO UPDATE SET version = excluded.version, expires = excluded.expires,
        head_sum = excluded.head_sum, value_sum = excluded.value_sum, metadata = excluded.metadata, value = excluded.value
    `),
    remove: database.prepare('DELETE FROM records WHERE key = ?'),
    lapsed: database.prepare(
      'SELECT key FROM records WHERE expires IS NOT NULL AND expires <= ? ORDER BY expires LIMIT ?',
    ),
    lastChange: database.prepare('SELECT max(number) AS number FROM changes'),
    addChange: database.prepare('INSERT INTO changes (number, key) VALUES (?, ?)'),
    trimChanges: database.prepare('DELETE FROM changes WHERE number <= ?'),
    changesAfter: database.prepare(
      'SELECT number, key FROM changes WHERE number > ? ORDER BY number LIMIT ?',
    ),
  }
}

export function isAlive(row: Pick<Row, 'expires'>, now: number): boolean {
  return row.expires === null || row.expires > now
}

/** Of all that a record is but its value: SQLite has no checksums in its file, and a disk may lie. */
export function headSumOf(row: Pick<Row, 'key' | 'version' | 'expires' | 'metadata'>): number {
  return crc32(`${row.version} ${row.expires} ${row.key}\0${row.metadata ?? ''}`)
}

/** Of a value, and of whose it is. */
export function valueSumOf(value: Uint8Array, headSum: number): number {
  return crc32(value, headSum)
}

const noBytes = new Uint8Array()

/** `undefined` if the row is not what was written. */
export function recordOf(row: Row): StoreRecord | undefined {
  if (headSumOf(row) !== row.head_sum) return undefined
  const isWhole = row.value === undefined || valueSumOf(row.value, row.head_sum) === row.value_sum
  if (!isWhole) return undefined
  return {
    key: row.key,
    value: row.value ?? noBytes,
    version: String(row.version),
    metadata: row.metadata === null ? {} : (JSON.parse(row.metadata) as Record<string, string>),
    expiresAt: row.expires ?? undefined,
  }
}
