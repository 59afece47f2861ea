import { statSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { unrefTimer } from '@micro/core/component'
import { isBusy } from './errors.ts'
import { rowOf } from './open-database.ts'
import type { SqliteSettings } from './options.ts'

export interface MaintenanceOptions {
  readonly settings: SqliteSettings
  readonly database: DatabaseSync
  /** Runs work in a transaction of its own or of others. */
  readonly change: (work: () => void) => Promise<void>
  readonly onProblem: (error: unknown) => void
}

/** Keeps the log and the file small. */
export interface Maintenance {
  /** To be called after each commit, with what it wrote, roughly. */
  committed(bytes: number): void
  stop(): void
}

/** Milliseconds without a commit after which the log is taken over, however small. */
const quiet = 1_000
/** Pages that are given back in one transaction. */
const step = 256

export function createMaintenance(options: MaintenanceOptions): Maintenance {
  const { settings, database, change, onProblem } = options
  const log = `${settings.file}-wal`
  let latest = 0
  /** Bytes since the last checkpoint, by this process. */
  let written = 0
  let blockedUntil = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let soon: ReturnType<typeof setImmediate> | undefined
  let stopped = false

  /**
   * Takes the log over into the file. Under load its space is used again, which is faster than to let it
   * grow anew. Otherwise it is emptied: one that has been taken over and is still there would be read again
   * after a crash, and must then not have suffered.
   */
  const checkpoint = (empty: boolean): void => {
    const { busy } = rowOf(database, `PRAGMA wal_checkpoint(${empty ? 'TRUNCATE' : 'RESTART'})`)
    // Another process is reading or writing this moment.
    if (busy !== 0) blockedUntil = performance.now() + 20
    else written = 0
  }
  const shrink = async (): Promise<void> => {
    while (!stopped) {
      const free = Number(rowOf(database, 'PRAGMA freelist_count')['freelist_count'])
      const pages = Number(rowOf(database, 'PRAGMA page_count')['page_count'])
      // Some stay for what comes next.
      if (free < 4 * step || free < pages / 4) return
      await change(() => database.exec(`PRAGMA incremental_vacuum(${step})`))
    }
  }
  const maintain = (empty: boolean): void => {
    if (stopped) return
    try {
      checkpoint(empty)
    } catch (error) {
      if (!isBusy(error)) onProblem(error)
      blockedUntil = performance.now() + 100
      return
    }
    shrink().catch((error: unknown) => {
      if (!stopped) onProblem(error)
    })
  }
  const onQuiet = (): void => {
    timer = undefined
    const rest = latest + quiet - performance.now()
    if (rest > 0) arm(rest)
    else if (sizeOf(log) > 0) {
      maintain(true)
      if (!stopped && performance.now() < blockedUntil) arm(quiet)
    }
  }
  const arm = (wait: number): void => {
    timer ??= unrefTimer(setTimeout(onQuiet, wait))
  }

  return {
    committed(bytes) {
      if (stopped) return
      written += bytes
      latest = performance.now()
      arm(quiet)
      if (latest < blockedUntil || written < settings.checkpointBytes) return
      // Those whose work was committed hear of it first.
      soon ??= setImmediate(() => {
        soon = undefined
        // Many processes, or large transactions, have made it larger than it needs to be.
        maintain(sizeOf(log) > 4 * settings.checkpointBytes)
      })
    },
    stop() {
      stopped = true
      clearTimeout(timer)
      clearImmediate(soon)
    },
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
