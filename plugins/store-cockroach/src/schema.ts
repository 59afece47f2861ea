import { MicroError } from '@micro/core/errors'
import { checkTable, printSchema, type Schema, type SqlServer } from '@micro/sql-client'

export interface StoreSchemaOptions {
  /** For which server. @default 'postgresql' */
  readonly server?: SqlServer
  /** As the store's option. @default 'micro_store' */
  readonly table?: string
  /** Version of the tables that are there; only what comes after it is printed. @default 0 */
  readonly from?: number
}

/**
 * The tables as SQL, for whom an administrator makes them: run it, and give the store `migrate: false`.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function storeSchema(options: StoreSchemaOptions = {}): string {
  const { server = 'postgresql', table = 'micro_store', from, ...unknown } = options
  const [name] = Object.keys(unknown)
  if (name !== undefined) {
    throw new MicroError('invalid_argument', `storeSchema option ${name} is unknown`)
  }
  if (server !== 'postgresql' && server !== 'cockroachdb') {
    throw new MicroError(
      'invalid_argument',
      `storeSchema option server is ${String(server)}; give 'postgresql' or 'cockroachdb'`,
    )
  }
  return printSchema(schemaOf(checkTable('storeSchema', 'table', table)), server, from)
}

export function schemaOf(table: string): Schema {
  return { table, printedBy: 'storeSchema', steps: [(server) => first(table, server)] }
}

function first(table: string, server: SqlServer): readonly string[] {
  const bare = table.slice(table.indexOf('.') + 1)
  const isCockroach = server === 'cockroachdb'
  // What nobody sweeps any more, the server removes by itself. An hour late, so that the instances'
  // own sweeping, which tells watches of it, comes first.
  const recordsTtl = isCockroach
    ? ` WITH (ttl_expiration_expression = '(expires_at + ''1 hour''::INTERVAL)', ttl_job_cron = '@hourly')`
    : ''
  const changesTtl = isCockroach
    ? ` WITH (ttl_expiration_expression = '(made_at + ''1 day''::INTERVAL)', ttl_job_cron = '@daily')`
    : ''
  // When a change was committed: the time of the commit itself, or the transaction by which snapshots
  // tell whether they see it.
  const moment = isCockroach
    ? 'moment decimal NOT NULL DEFAULT cluster_logical_timestamp()'
    : 'moment xid8 NOT NULL DEFAULT pg_current_xact_id()'
  return [
    `CREATE TABLE IF NOT EXISTS ${table}_records (
  namespace text NOT NULL,
  key bytea NOT NULL,
  value bytea NOT NULL,
  metadata text,
  version uuid NOT NULL,
  expires_at timestamptz,
  PRIMARY KEY (namespace, key)
)${recordsTtl}`,
    `CREATE INDEX IF NOT EXISTS ${bare}_records_expiry
  ON ${table}_records (namespace, expires_at) WHERE expires_at IS NOT NULL`,
    `CREATE TABLE IF NOT EXISTS ${table}_changes (
  id uuid PRIMARY KEY,
  namespace text NOT NULL,
  key bytea,
  voided boolean NOT NULL DEFAULT false,
  ${moment},
  made_at timestamptz NOT NULL DEFAULT clock_timestamp()
)${changesTtl}`,
    `CREATE INDEX IF NOT EXISTS ${bare}_changes_moment ON ${table}_changes (namespace, moment)`,
    `CREATE SEQUENCE IF NOT EXISTS ${table}_outbox_position`,
    `CREATE TABLE IF NOT EXISTS ${table}_outbox (
  namespace text NOT NULL,
  position bigint NOT NULL,
  part integer NOT NULL,
  topic text NOT NULL,
  key text,
  headers text NOT NULL,
  body bytea NOT NULL,
  failure text,
  made_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (namespace, position, part)
)`,
    `CREATE TABLE IF NOT EXISTS ${table}_roles (
  namespace text NOT NULL,
  role text NOT NULL,
  holder uuid,
  until timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (namespace, role)
)`,
  ]
}
