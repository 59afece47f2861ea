import { type AbortOptions, backoff } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import { Call, Calls } from './call.ts'
import { type CheckoutOptions, checkOut, queryOnce } from './checkout.ts'
import { fromSql, isConflict } from './errors.ts'
import type { SqlSettings } from './options.ts'
import { type OwnPool, openPool, type SqlPool, type SqlResult } from './pool.ts'
import { createQueries, type Statement } from './statement.ts'

/** `postgresql` also stands for what behaves like it. */
export type SqlServer = 'postgresql' | 'cockroachdb'

export type Isolation = 'serializable' | 'read committed'

/** A connection, for as long as some work has it. */
export interface Session {
  query(statement: Statement, values?: readonly unknown[]): Promise<SqlResult>
  /**
   * A failure before the commit is `processed: 'no'`: nothing of it has taken place. That of a commit
   * without an answer is `'unknown'`.
   */
  transaction<T>(isolation: Isolation, work: () => Promise<T>): Promise<T>
}

export interface RunOptions extends AbortOptions {
  /** It does no harm if the server does it twice, so that it is tried again after a loss. @default false */
  readonly repeatable?: boolean
  /** Its waits do not keep the process running. @default false */
  readonly background?: boolean
  /** Milliseconds in all. @default that of the options */
  readonly timeout?: number
}

/** One way to a database, for all that a component does there. */
export interface Database {
  /**
   * Does `work` on a connection of the pool; again, with back-off, when it met another transaction
   * (40001), when nothing was sent, and after a loss if it is `repeatable`. An abort ends the wait, and
   * what the server is doing.
   *
   * @throws `unavailable` with `processed: 'unknown'` for what may or may not have taken place;
   * `resource_exhausted` when no connection became free.
   */
  run<T>(work: (session: Session) => Promise<T>, options?: RunOptions): Promise<T>
  /** One statement. */
  query(statement: Statement, values: readonly unknown[], options?: RunOptions): Promise<SqlResult>
  /** What it is, asked once. @throws `failed_precondition` for a PostgreSQL before 13. */
  server(options?: AbortOptions): Promise<SqlServer>
  /** What the latest call failed with, if the database is to blame and not the call. For `health`. */
  readonly problem: MicroError | undefined
  /** Ends all calls, and the connections that were opened here. */
  close(): Promise<void>
}

const blames = ['unavailable', 'unauthenticated', 'permission_denied', 'failed_precondition']
/** Attempts after losses; what met others is tried for as long as there is time. */
const attempts = 6

/** Opens nothing before the first call. `label` is for errors: `store "cockroach"`. */
export function createDatabase(settings: SqlSettings, label: string): Database {
  const { host, timeout, connectTimeout } = settings
  const calls = new Calls()
  const background = new Set<Promise<void>>()
  const closed = new MicroError('failed_precondition', `${label} is closed`)
  let isClosed = false
  let own: OwnPool | undefined
  let pool: SqlPool | undefined
  let problem: MicroError | undefined
  let detected: SqlServer | undefined

  // Without a listener, a connection that is lost while nobody uses it would end the process.
  const onError = (cause: Error): void => {
    problem = fromSql(cause, host)
  }
  const checkout: CheckoutOptions = {
    host,
    connectTimeout,
    toQuery: createQueries(settings.prepare),
    open() {
      if (pool !== undefined) return pool
      if (settings.pool === undefined) own = openPool(settings, label)
      pool = own ?? (settings.pool as SqlPool)
      pool.on('error', onError)
      return pool
    },
    later(work) {
      const done = work.catch(ignore).finally(() => void background.delete(done))
      background.add(done)
    },
  }
  const begin = (options: RunOptions): Call => {
    options.signal?.throwIfAborted()
    if (isClosed) throw closed
    return new Call(calls, {
      signal: options.signal,
      host,
      timeout: options.timeout ?? timeout,
      background: options.background ?? false,
    })
  }
  /** `failure` is that of an attempt that was made already. */
  const repeat = async <T>(
    call: Call,
    repeatable: boolean,
    attempt: () => Promise<T>,
    failure?: unknown,
  ): Promise<T> => {
    let conflicts = 0
    let losses = 0
    const consider = async (error: unknown): Promise<void> => {
      if (call.over || !MicroError.is(error)) throw error
      if (blames.includes(error.code)) problem = error
      if (error.processed === 'no') call.processed = 'no'
      if (isConflict(error)) await call.sleep(1 + backoff(conflicts++, { base: 4, max: 250 }))
      else if (mayRepeat(error, repeatable) && ++losses < attempts) {
        await call.sleep(10 + backoff(losses, { base: 25, max: 1_000 }))
      } else throw error
    }
    try {
      if (failure !== undefined) await consider(failure)
      for (;;) {
        try {
          const value = await attempt()
          problem = undefined
          return value
        } catch (error) {
          await consider(error)
        }
      }
    } catch (error) {
      if (call.over && MicroError.is(error, 'unavailable')) problem = error
      throw error
    } finally {
      call.end()
    }
  }

  const database: Database = {
    get problem() {
      return problem
    },
    async run(work, options = {}) {
      const call = begin(options)
      return await repeat(call, options.repeatable ?? false, async () => {
        const session = await checkOut(call, checkout)
        try {
          return await work(session)
        } finally {
          session.checkIn()
        }
      })
    },
    query(statement, values, options = {}) {
      return new Promise((resolve, reject) => {
        const call = begin(options)
        const attempt = (done: (result: SqlResult) => void, fail: (reason: unknown) => void) =>
          queryOnce(call, checkout, statement, values, done, fail)
        const done = (result: SqlResult): void => {
          call.end()
          problem = undefined
          resolve(result)
        }
        attempt(done, (failure) => {
          repeat(call, options.repeatable ?? false, () => new Promise(attempt), failure).then(
            resolve,
            reject,
          )
        })
      })
    },
    async server(options) {
      if (detected !== undefined) return detected
      const { rows } = await database.query(
        { text: "SELECT version(), current_setting('server_version_num')" },
        [],
        { ...options, repeatable: true },
      )
      const [name = '', number = ''] = rows[0] ?? []
      detected = serverOf(name ?? '', Number(number), host)
      return detected
    },
    async close() {
      if (isClosed) return
      isClosed = true
      calls.failAll(closed)
      await Promise.all(background)
      pool?.removeListener('error', onError)
      // Connections that break while they are being closed are of no interest.
      own?.on('error', ignore)
      await own?.end()
    },
  }
  return database
}

function mayRepeat(error: MicroError, repeatable: boolean): boolean {
  const isPassing =
    error.code === 'unavailable' || (error.cause as { code?: string } | undefined)?.code === '53300'
  return isPassing && (repeatable || error.processed === 'no')
}

function serverOf(name: string, number: number, host: string): SqlServer {
  if (name.includes('CockroachDB')) return 'cockroachdb'
  if (number >= 130_000) return 'postgresql'
  throw new MicroError(
    'failed_precondition',
    `database at ${host} is ${name}; use PostgreSQL 13 or later, or CockroachDB`,
  )
}

function ignore(): void {}
