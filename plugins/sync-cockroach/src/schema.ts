import { MicroError } from '@micro/core/errors'
import { checkTable, printSchema, type Schema, type SqlServer } from '@micro/sql-client'

export interface SyncSchemaOptions {
  /** For which server. @default 'postgresql' */
  readonly server?: SqlServer
  /** As the sync's option. @default 'micro_sync' */
  readonly table?: string
  /** Version of the tables that are there; only what comes after it is printed. @default 0 */
  readonly from?: number
}

/**
 * The tables as SQL, for whom an administrator makes them: run it, and give the sync `migrate: false`.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function syncSchema(options: SyncSchemaOptions = {}): string {
  const { server = 'postgresql', table = 'micro_sync', from, ...unknown } = options
  const [name] = Object.keys(unknown)
  if (name !== undefined) {
    throw new MicroError('invalid_argument', `syncSchema option ${name} is unknown`)
  }
  if (server !== 'postgresql' && server !== 'cockroachdb') {
    throw new MicroError(
      'invalid_argument',
      `syncSchema option server is ${String(server)}; give 'postgresql' or 'cockroachdb'`,
    )
  }
  return printSchema(schemaOf(checkTable('syncSchema', 'table', table)), server, from)
}

export function schemaOf(table: string): Schema {
  return { table, printedBy: 'syncSchema', steps: [() => first(table)] }
}

function first(table: string): readonly string[] {
  return [
    `CREATE SEQUENCE IF NOT EXISTS ${table}_token`,
    `CREATE TABLE IF NOT EXISTS ${table}_places (
  namespace text NOT NULL,
  place text NOT NULL,
  holder uuid NOT NULL,
  id text NOT NULL,
  token bigint NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (namespace, place)
)`,
  ]
}
