import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Leader } from '@micro/core/sync'
import type { Layout } from '@micro/sqlite-file'

/**
 * One row per place that is held, or was when its holder died. The counter of tokens is a row of its own,
 * which outlives them all.
 *
 * `since` is the machine's monotonic clock: it is the same for all processes, and nobody sets it.
 */
export const layout: Layout = {
  applicationId: 0x6d_63_73_79,
  version: 1,
  tables: `
    CREATE TABLE counter (one INTEGER PRIMARY KEY CHECK (one = 1), token INTEGER NOT NULL) STRICT;
    INSERT INTO counter VALUES (1, 0);
    CREATE TABLE places (
      place TEXT PRIMARY KEY,
      token INTEGER NOT NULL,
      id TEXT NOT NULL,
      since REAL NOT NULL,
      ttl REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
  `,
}

interface Row {
  readonly place: string
  readonly token: number
  readonly id: string
  readonly since: number
  readonly ttl: number
}

export interface Statements {
  readonly find: StatementSync
  readonly all: StatementSync
  readonly count: StatementSync
  readonly take: StatementSync
  readonly renew: StatementSync
  readonly free: StatementSync
}

export function prepare(database: DatabaseSync): Statements {
  return {
    find: database.prepare('SELECT place, token, id, since, ttl FROM places WHERE place = ?'),
    all: database.prepare('SELECT place, token, id, since, ttl FROM places'),
    count: database.prepare('UPDATE counter SET token = token + 1 RETURNING token'),
    take: database.prepare(
      'INSERT OR REPLACE INTO places (place, token, id, since, ttl) VALUES (?, ?, ?, ?, ?)',
    ),
    renew: database.prepare('UPDATE places SET since = ?, ttl = ? WHERE place = ? AND token = ?'),
    free: database.prepare('DELETE FROM places WHERE place = ? AND token = ?'),
  }
}

export interface Holder extends Leader {
  /** Milliseconds until its lease is over. */
  readonly left: number
}

/** Who holds the place now. */
export function holderOf(statements: Statements, place: string): Holder | undefined {
  const row = statements.find.get(place) as Row | undefined
  if (row === undefined) return undefined
  const left = leftOf(row)
  return left > 0 ? { id: row.id, token: BigInt(row.token), left } : undefined
}

/** Takes the place if it is free. @returns its token */
export function take(
  statements: Statements,
  { place, id, ttl }: { place: string; id: string; ttl: number },
): bigint | undefined {
  if (holderOf(statements, place) !== undefined) return undefined
  const { token } = statements.count.get() as { token: number }
  statements.take.run(place, token, id, now(), ttl)
  return BigInt(token)
}

/** Whether the place was still that holder's. */
export function renew(
  statements: Statements,
  { place, token, ttl }: { place: string; token: bigint; ttl: number },
): boolean {
  if (holderOf(statements, place)?.token !== token) return false
  statements.renew.run(now(), ttl, place, token)
  return true
}

export function free(statements: Statements, place: string, token: bigint): void {
  statements.free.run(place, token)
}

/** Whether there are places whose holders have died. */
export function hasLapsed(statements: Statements): boolean {
  return (statements.all.all() as unknown as Row[]).some((row) => leftOf(row) <= 0)
}

/** Forgets places whose holders have died. */
export function forgetLapsed(statements: Statements): void {
  for (const row of statements.all.all() as unknown as Row[]) {
    if (leftOf(row) <= 0) statements.free.run(row.place, row.token)
  }
}

/** A time that is yet to come was of this machine before it was started anew, and its holder is gone. */
function leftOf({ since, ttl }: Row): number {
  const age = now() - since
  return age < 0 ? 0 : ttl - age
}

/** Milliseconds since the machine was started. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
