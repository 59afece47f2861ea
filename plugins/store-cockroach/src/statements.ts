import { prepared, type SqlServer, type Statement } from '@micro/sql-client'

/** All that is sent over and over. Numbers in comments are those of the parameters. */
export interface Statements {
  /** namespace, key → value, metadata, version, expiry */
  readonly read: Statement
  /** namespace, from, limit, and where it ends if `bounded` → key, value, metadata, version, expiry */
  page(bounded: boolean, keysOnly: boolean): Statement
  /** namespace, keys → the same */
  readonly readAll: Statement
  /** namespace, and for each record key, value, metadata, version, ttl */
  put(count: number): Statement
  /** namespace, key, value, metadata, version, ttl */
  readonly putIfAbsent: Statement
  /** the same, and the version that must be there */
  readonly putIfVersion: Statement
  /** namespace, key, id of the change */
  readonly delete: Statement
  /** the same, and the version that must be there */
  readonly deleteIfVersion: Statement
  /** namespace, keys → key, version, whether it is there; and nobody else may change them */
  readonly lock: Statement
  /** namespace, keys, ids of the changes */
  readonly deleteAll: Statement
  /** namespace, keys, versions: records that are taken away again at once */
  readonly hold: Statement
  /** namespace, versions */
  readonly unhold: Statement
  /** namespace, id: a change that is none */
  readonly mark: Statement
  /** namespace, id: sees to it that the change never takes place, if it has not */
  readonly void: Statement
  /** id → whether it was made void */
  readonly isVoid: Statement
  /** namespace, first transaction not yet seen, earlier ones that were open → cursor, server, key */
  readonly changes: Statement
  /** → cursor, server */
  readonly now: Statement
  /** namespace, limit */
  readonly sweepRecords: Statement
  /** namespace, milliseconds, limit */
  readonly sweepChanges: Statement
  /** namespace, role */
  readonly addRole: Statement
  /** namespace, role, holder, milliseconds */
  readonly takeRole: Statement
  /** namespace, role, holder */
  readonly leaveRole: Statement
}

/** What is there for readers. */
const alive = '(expires_at IS NULL OR expires_at > now())'
const expiry = 'ceil(extract(epoch FROM expires_at) * 1000)::bigint'

export function makeStatements(table: string, server: SqlServer): Statements {
  const records = `${table}_records`
  const changes = `${table}_changes`
  const roles = `${table}_roles`
  const columns = `metadata, version, ${expiry}`
  const fields = '(namespace, key, value, metadata, version, expires_at)'
  const until = (parameter: number): string =>
    `now() + $${parameter}::float8 * interval '1 millisecond'`
  const replace = `ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value,
    metadata = excluded.metadata, version = excluded.version, expires_at = excluded.expires_at`
  // The change is told in the same statement, so that both are there or neither: one round trip.
  const told = (what: string): string => `WITH written AS (${what} RETURNING r.version, r.key)
    INSERT INTO ${changes} (id, namespace, key) SELECT version, $1, key FROM written`
  const gone = (condition: string): string => `WITH gone AS (
      DELETE FROM ${records} WHERE namespace = $1 AND key = $2 AND ${alive}${condition} RETURNING key
    ) INSERT INTO ${changes} (id, namespace, key) SELECT $3::uuid, $1, key FROM gone`
  const page = (bounded: boolean, keysOnly: boolean): Statement =>
    prepared(`SELECT key, ${keysOnly ? 'NULL' : 'value'}, ${columns} FROM ${records}
      WHERE namespace = $1 AND key >= $2${bounded ? ' AND key < $4' : ''} AND ${alive}
      ORDER BY key LIMIT $3`)
  const pages = [false, true].map((bounded) =>
    [false, true].map((keysOnly) => page(bounded, keysOnly)),
  )
  const makePut = (count: number): Statement => {
    const rows = Array.from({ length: count }, (_, at) => {
      const first = 2 + at * 5
      const [key, value, metadata, version] = [0, 1, 2, 3].map((more) => `$${first + more}`)
      return `($1, ${key}, ${value}, ${metadata}, ${version}, ${until(first + 4)})`
    })
    const text = told(`INSERT INTO ${records} AS r ${fields} VALUES ${rows.join(', ')} ${replace}`)
    // A name for every size would fill the memory of connections.
    return count <= 4 ? prepared(text) : { text }
  }
  const puts = [1, 2, 3, 4].map(makePut)
  const snapshots = snapshotsOf(changes, server)

  return {
    ...snapshots,
    read: prepared(
      `SELECT value, ${columns} FROM ${records} WHERE namespace = $1 AND key = $2 AND ${alive}`,
    ),
    page: (bounded, keysOnly) => pages[Number(bounded)]?.[Number(keysOnly)] as Statement,
    readAll: prepared(`SELECT key, value, ${columns} FROM ${records}
      WHERE namespace = $1 AND key = ANY($2::bytea[]) AND ${alive}`),
    put: (count) => puts[count - 1] ?? makePut(count),
    putIfAbsent: prepared(
      told(`INSERT INTO ${records} AS r ${fields} VALUES ($1, $2, $3, $4, $5, ${until(6)})
        ${replace} WHERE r.expires_at <= now()`),
    ),
    putIfVersion: prepared(
      told(`UPDATE ${records} AS r
        SET value = $3, metadata = $4, version = $5, expires_at = ${until(6)}
        WHERE namespace = $1 AND key = $2 AND version = $7 AND ${alive}`),
    ),
    delete: prepared(gone('')),
    deleteIfVersion: prepared(gone(' AND version = $4')),
    lock: prepared(`SELECT key, version, ${alive} FROM ${records}
      WHERE namespace = $1 AND key = ANY($2::bytea[]) ORDER BY key FOR UPDATE`),
    deleteAll: prepared(`WITH due AS (
        SELECT key, id FROM unnest($2::bytea[], $3::uuid[]) AS d (key, id)
      ), gone AS (
        DELETE FROM ${records} WHERE namespace = $1 AND key IN (SELECT key FROM due) RETURNING key
      ) INSERT INTO ${changes} (id, namespace, key)
        SELECT due.id, $1, due.key FROM due JOIN gone ON gone.key = due.key`),
    hold: prepared(`INSERT INTO ${records} (namespace, key, value, version)
      SELECT $1, key, ''::bytea, id FROM unnest($2::bytea[], $3::uuid[]) AS h (key, id)
      ORDER BY key ON CONFLICT (namespace, key) DO NOTHING`),
    unhold: prepared(
      `DELETE FROM ${records} WHERE namespace = $1 AND key = ANY($2::bytea[]) AND version = ANY($3::uuid[])`,
    ),
    mark: prepared(`INSERT INTO ${changes} (namespace, id) VALUES ($1, $2)`),
    void: prepared(`INSERT INTO ${changes} (namespace, id, voided) VALUES ($1, $2, true)
      ON CONFLICT (id) DO NOTHING`),
    isVoid: prepared(`SELECT voided FROM ${changes} WHERE id = $1`),
    sweepRecords: prepared(`WITH gone AS (
        DELETE FROM ${records} WHERE namespace = $1 AND expires_at <= now() AND key IN (
          SELECT key FROM ${records} WHERE namespace = $1 AND expires_at <= now()
          ORDER BY expires_at LIMIT $2
        ) RETURNING key
      ) INSERT INTO ${changes} (id, namespace, key) SELECT gen_random_uuid(), $1, key FROM gone`),
    // Only the first ones are looked at, by their index: they were made in about that order.
    sweepChanges: prepared(`DELETE FROM ${changes} WHERE id IN (
        SELECT id FROM (
          SELECT id, made_at FROM ${changes} WHERE namespace = $1 ORDER BY moment LIMIT $3
        ) AS oldest WHERE made_at < now() - $2::float8 * interval '1 millisecond'
      )`),
    addRole: prepared(
      `INSERT INTO ${roles} (namespace, role) VALUES ($1, $2) ON CONFLICT (namespace, role) DO NOTHING`,
    ),
    takeRole: prepared(`UPDATE ${roles} SET holder = $3, until = ${until(4)}
      WHERE namespace = $1 AND role = $2 AND (holder = $3 OR until <= now())`),
    leaveRole: prepared(
      `UPDATE ${roles} SET until = now() WHERE namespace = $1 AND role = $2 AND holder = $3`,
    ),
  }
}

/**
 * How changes are found that were committed since a look, in whatever order that was.
 *
 * On PostgreSQL a look has a snapshot, which tells the transactions that it does not see: those that
 * were open, and all that began later. On CockroachDB it has a time, and nothing is ever committed
 * before the time of a read that has not seen it.
 */
function snapshotsOf(changes: string, server: SqlServer): Pick<Statements, 'changes' | 'now'> {
  const most = `ORDER BY c.made_at LIMIT ${changesAtATime + 1}`
  const cursor =
    server === 'cockroachdb'
      ? "cluster_logical_timestamp()::text, ''"
      : 'pg_current_snapshot()::text, pg_postmaster_start_time()::text'
  const since = (condition: string): string =>
    `SELECT key, made_at FROM ${changes} WHERE namespace = $1 AND key IS NOT NULL AND ${condition}`
  const unseen =
    server === 'cockroachdb'
      ? since('moment > $2::decimal AND $3::text IS NOT NULL')
      : `${since('moment >= $2::xid8')} UNION ALL ${since('moment = ANY($3::xid8[])')}`
  return {
    now: prepared(`SELECT ${cursor}`),
    changes: prepared(
      `SELECT ${cursor}, c.key FROM (SELECT 1) AS one LEFT JOIN (${unseen}) AS c ON true ${most}`,
    ),
  }
}

/** More at once are not told one by one. */
export const changesAtATime = 10_000
