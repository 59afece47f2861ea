import { createDatabase, settleSql } from '@micro/sql-client'
import type { Postgres } from '@micro/test-services'
import { afterwards } from './support.ts'

type Rows = readonly (readonly (string | null)[])[]
type Query = (text: string, ...values: unknown[]) => Promise<Rows>

/** What an administrator does, beside the sync. */
export interface Sql extends Query {
  /** Works within a transaction. */
  hold(inside: (query: Query) => Promise<void>): Promise<void>
}

export function sqlOf(postgres: Postgres): Sql {
  const database = createDatabase(settleSql('sql', { connectionString: postgres.url }, []), 'sql')
  afterwards(() => database.close())
  const query: Query = async (text, ...values) => (await database.query({ text }, values)).rows
  const hold: Sql['hold'] = async (inside) =>
    await database.run((session) =>
      session.transaction('read committed', () =>
        inside(async (text, ...values) => (await session.query({ text }, values)).rows),
      ),
    )
  return Object.assign(query, { hold })
}
