import { MicroError } from '@micro/core/errors'
import type { Database } from '@micro/sql-client'
import { toKey } from './records.ts'
import { changesAtATime, type Statements } from './statements.ts'

/** What has been seen: on PostgreSQL a snapshot, on CockroachDB a time. */
export interface Cursor {
  readonly seen: string
  /** Changes when the server is another one, or has been started anew. */
  readonly server: string
  /** When, in our own time. */
  readonly at: number
}

export interface FoundChanges {
  readonly cursor: Omit<Cursor, 'at'>
  /** What was changed since, once each, those changed last at the end; `undefined` if it is too much. */
  readonly keys: readonly string[] | undefined
}

export interface ChangeReaderOptions {
  readonly database: Database
  readonly statements: Statements
  readonly namespace: string
}

/** Finds every change that was committed since a cursor, in whatever order that was. */
export function createChangeReader(
  options: ChangeReaderOptions,
): (cursor: Cursor | undefined) => Promise<FoundChanges> {
  const { database, statements, namespace } = options
  const how = { repeatable: true, background: true }

  return async (cursor) => {
    const { rows } =
      cursor === undefined
        ? await database.query(statements.now, [], how)
        : await database.query(
            statements.changes,
            [namespace, ...sinceOf(cursor.seen, await database.server())],
            how,
          )
    const [seen, server] = rows[0] ?? []
    if (seen == null || server == null) throw new MicroError('internal', 'a look told no time')
    const found = { seen, server }
    if (rows.length > changesAtATime) return { cursor: found, keys: undefined }
    const keys = new Set<string>()
    for (const [, , column] of rows) {
      if (column == null) continue
      const key = toKey(column)
      keys.delete(key)
      keys.add(key)
    }
    return { cursor: found, keys: [...keys] }
  }
}

/** The parameters behind the namespace: from where on, and what was open before. */
function sinceOf(seen: string, server: string): unknown[] {
  if (server === 'cockroachdb') return [seen, '']
  const [, nextTransaction = '', open = ''] = seen.split(':')
  return [nextTransaction, open === '' ? [] : open.split(',')]
}
