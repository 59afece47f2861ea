import type { DatabaseSync } from 'node:sqlite'
import { type AbortOptions, type Health, jitter, sleep, unrefTimer } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import type { Layout } from './create-file.ts'
import { damaged, fromOpening, fromSqlite, isBusy } from './errors.ts'
import { createGroup } from './group.ts'
import { createMaintenance, type Maintenance } from './maintenance.ts'
import { listen, tell } from './notices.ts'
import { openDatabase, rowOf } from './open-database.ts'
import type { SqliteSettings } from './options.ts'

export interface SqliteFileSetup<S> {
  readonly settings: SqliteSettings
  /** For errors: `store "file"`. */
  readonly label: string
  readonly layout: Layout
  /** Prepares the statements that `read` and `change` work with. */
  readonly prepare: (database: DatabaseSync) => S
}

export interface ChangeOptions extends AbortOptions {
  /** A loss of power may take it, whatever `durability` says. @default false */
  readonly relaxed?: boolean
  /** Of values that it writes, so that the log is taken over in time. @default 0 */
  readonly bytes?: number
}

/**
 * One connection to a file. SQLite works on the thread that calls it, so all work is to be small: what is
 * read is read in pages, and what is changed in one turn of the event loop is one transaction.
 */
export interface SqliteFile<S> {
  open(): Promise<void>
  /** Does what waits, then closes. */
  close(): Promise<void>
  health(): Health
  /** Runs `work` at once, again only if another process was in the way. @throws `data_loss`, … */
  read<T>(work: (statements: S) => T, options?: AbortOptions): Promise<T>
  /** Runs `work` in a transaction; see `Group.add` for what it may throw. Resolves once it is committed. */
  change<T>(work: (statements: S) => T, options?: ChangeOptions): Promise<T>
  /** Calls `listener` soon after each change, by whichever process, until the result is called. */
  follow(listener: () => void): () => void
  /** For what is read and found wrong by a checksum. */
  damaged(what: string): MicroError
}

/** That a change writes besides its values, as it was seen to. */
const pagesPerChange = 2

export function createSqliteFile<S>(setup: SqliteFileSetup<S>): SqliteFile<S> {
  const { settings, label, layout, prepare } = setup
  const { file } = settings
  let open: { readonly database: DatabaseSync; readonly statements: S } | undefined
  let maintenance: Maintenance | undefined
  let closed = false
  let readProblem: MicroError | undefined
  let writeProblem: MicroError | undefined
  let synchronous = settings.durability

  const current = (): NonNullable<typeof open> => {
    if (open === undefined) throw new MicroError('failed_precondition', `${label} is closed`)
    return open
  }
  const whenFree = async <T>(work: () => T, signal?: AbortSignal): Promise<T> => {
    for (let until: number | undefined; ; ) {
      try {
        return work()
      } catch (error) {
        if (!isBusy(error)) throw error
        const now = performance.now()
        until ??= now + settings.busyTimeout
        if (now >= until) throw error
      }
      await sleep(1 + Math.random() * 9, { signal, keepAlive: true })
    }
  }
  const group = createGroup({
    whenFree,
    begin(durable) {
      const { database } = current()
      const wanted = durable ? settings.durability : 'normal'
      if (synchronous !== wanted) database.exec(`PRAGMA synchronous = ${wanted}`)
      synchronous = wanted
      database.exec('BEGIN IMMEDIATE')
    },
    commit: () => current().database.exec('COMMIT'),
    rollback() {
      // Some errors make SQLite do so itself.
      if (open?.database.isTransaction === true) open.database.exec('ROLLBACK')
    },
    committed(bytes) {
      writeProblem = undefined
      tell(file)
      maintenance?.committed(bytes)
    },
    translate(error) {
      const translated = fromSqlite(error, file)
      writeProblem = translated
      return translated
    },
  })
  const change: SqliteFile<S>['change'] = (work, { signal, relaxed = false, bytes = 0 } = {}) =>
    group.add(() => work(current().statements), {
      signal,
      durable: !relaxed,
      bytes: bytes + pagesPerChange * 4_096,
    })

  return {
    async open() {
      try {
        const database = await whenFree(() => openDatabase(settings, layout))
        try {
          open = { database, statements: prepare(database) }
        } catch (error) {
          database.close()
          throw error
        }
        maintenance = createMaintenance({
          settings,
          database,
          change: (work) => change(work, { relaxed: true }),
          onProblem(error) {
            writeProblem = fromSqlite(error, file)
          },
        })
      } catch (error) {
        throw fromOpening(error, file)
      }
    },
    async close() {
      closed = true
      maintenance?.stop()
      await group.idle()
      try {
        open?.database.close()
      } catch (error) {
        throw fromSqlite(error, file)
      } finally {
        open = undefined
      }
    },
    health() {
      if (closed) return { status: 'down' }
      const problem = readProblem ?? writeProblem
      return problem === undefined
        ? { status: 'up' }
        : { status: 'degraded', detail: problem.detail }
    },
    async read(work, options = {}) {
      try {
        let result: ReturnType<typeof work>
        try {
          result = work(current().statements)
        } catch (error) {
          if (!isBusy(error)) throw error
          result = await whenFree(() => work(current().statements), options.signal)
        }
        readProblem = undefined
        return result
      } catch (error) {
        options.signal?.throwIfAborted()
        if (!MicroError.is(error) || error.code === 'data_loss') {
          readProblem = fromSqlite(error, file)
          throw readProblem
        }
        throw error
      }
    },
    change,
    follow(listener) {
      const stopListening = listen(file, listener)
      // Not known yet, so that the first look tells of what changed before it.
      let seen: unknown
      let timer: ReturnType<typeof setTimeout> | undefined
      const look = (): void => {
        try {
          const version = open === undefined ? seen : versionOf(open.database)
          if (version !== seen) listener()
          seen = version
        } catch (error) {
          // Looked at again soon; a listener that reads will say more.
          if (!isBusy(error)) readProblem = fromSqlite(error, file)
        }
        arm()
      }
      const arm = (): void => {
        timer = unrefTimer(setTimeout(look, jitter(settings.pollInterval)))
      }
      runInRoot(arm)
      return () => {
        clearTimeout(timer)
        stopListening()
      }
    },
    damaged: (what) => damaged(file, what),
  }
}

/** Changes when another connection has changed the file. */
function versionOf(database: DatabaseSync): unknown {
  return rowOf(database, 'PRAGMA data_version')['data_version']
}
