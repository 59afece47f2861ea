import pg from 'pg'
import type { SqlSettings } from './options.ts'

/** A statement as it is handed to `pg`. */
export interface SqlQuery {
  readonly text: string
  readonly name?: string
  readonly values: unknown[]
  readonly rowMode: 'array'
  readonly types: { getTypeParser(): (text: string) => string }
}

export interface SqlResult {
  /** Columns as the server writes them; `null` for NULL. */
  readonly rows: readonly (readonly (string | null)[])[]
  /** Rows that were changed or returned. */
  readonly rowCount: number
  readonly command: string
}

/** A connection of `pg`, as far as it is used here. */
export interface SqlPoolClient {
  query(
    query: SqlQuery,
    done: (
      error: Error,
      result: { rows: unknown[]; rowCount: number | null; command: string | null },
    ) => void,
  ): void
  on(event: 'error', listener: (error: Error) => void): unknown
  /** `true` closes it instead of keeping it for others. */
  release(destroy?: boolean): void
}

/** A `Pool` of the package `pg`, as far as it is used here. */
export interface SqlPool {
  connect(done: (error: Error | undefined, client: SqlPoolClient | undefined) => void): void
  on(event: 'error', listener: (error: Error) => void): unknown
  removeListener(event: 'error', listener: (error: Error) => void): unknown
}

export interface OwnPool extends SqlPool {
  end(): Promise<void>
}

/** Milliseconds by which the server's limit for a statement is later than that of the call. */
export const serverMargin = 1_000

/** A pool of our own. Its idle connections do not keep the process running. */
export function openPool(settings: SqlSettings, label: string): OwnPool {
  const { tls, password, timeout } = settings
  return new pg.Pool({
    connectionString: settings.connectionString,
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { ssl: tls }),
    max: settings.maxConnections,
    connectionTimeoutMillis: settings.connectTimeout,
    // For what is left running when a process dies in the middle: the server ends it by itself. Later
    // than this side would, which can say more of it.
    statement_timeout: timeout + serverMargin,
    idle_in_transaction_session_timeout: timeout + serverMargin,
    application_name: `micro ${label.replaceAll('"', '')}`,
    keepAlive: true,
    allowExitOnIdle: true,
  }) as unknown as OwnPool
}
