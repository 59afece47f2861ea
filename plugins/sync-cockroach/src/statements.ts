import { prepared, type Statement } from '@micro/sql-client'

/** All that is sent. Numbers in comments are those of the parameters. */
export interface Statements {
  /** namespace, place, holder, id, ttl → token, if it was free or this holder's */
  readonly take: Statement
  /** namespace, place, holder → milliseconds for which another has it */
  readonly held: Statement
  /** namespace, place, token, ttl */
  readonly renew: Statement
  /** namespace, place, holder */
  readonly leave: Statement
  /** namespace, place → id, token */
  readonly holder: Statement
  /** namespace */
  readonly sweep: Statement
}

/**
 * Times are the database's. A place that was left stays for an hour: a statement that began to take it
 * before another did, and has drawn its token already, still finds it then, and draws another.
 */
export function makeStatements(table: string): Statements {
  const places = `${table}_places`
  const token = `nextval('${table}_token')`
  const which = 'namespace = $1 AND place = $2'
  return {
    take: prepared(`INSERT INTO ${places} AS p (namespace, place, holder, id, token, expires_at)
      VALUES ($1, $2, $3, $4, ${token}, now() + $5::float8 * interval '1 millisecond')
      ON CONFLICT (namespace, place) DO UPDATE
        SET holder = excluded.holder, id = excluded.id, expires_at = excluded.expires_at, token = ${token}
        WHERE p.expires_at <= now() OR p.holder = excluded.holder
      RETURNING token`),
    held: prepared(`SELECT ceil(extract(epoch FROM expires_at - now()) * 1000)::bigint FROM ${places}
      WHERE ${which} AND expires_at > now() AND holder <> $3`),
    renew: prepared(`UPDATE ${places} SET expires_at = now() + $4::float8 * interval '1 millisecond'
      WHERE ${which} AND token = $3 AND expires_at > now()`),
    leave: prepared(
      `UPDATE ${places} SET expires_at = now() WHERE ${which} AND holder = $3 AND expires_at > now()`,
    ),
    holder: prepared(`SELECT id, token FROM ${places} WHERE ${which} AND expires_at > now()`),
    sweep: prepared(`DELETE FROM ${places} WHERE namespace = $1 AND place IN (
        SELECT place FROM ${places}
        WHERE namespace = $1 AND expires_at < now() - interval '1 hour' LIMIT 1000
      ) AND expires_at < now() - interval '1 hour'`),
  }
}
