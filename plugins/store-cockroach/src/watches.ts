import {
  type AbortOptions,
  abortable,
  backoff,
  createEventFeed,
  type EventFeed,
  jitter,
  unrefTimer,
  type Watcher,
} from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { StoreEvent, StoreRecord } from '@micro/core/store'
import type { Database } from '@micro/sql-client'
import { type Cursor, createChangeReader } from './change-reader.ts'
import { fromKey, toKeyedRecord } from './records.ts'
import type { Statements } from './statements.ts'

/** Tells changes to all watches of one store, by one look at a time for all of them. */
export interface Watches {
  watch(prefix: string, options: AbortOptions): Promise<Watcher<StoreEvent>>
  /** What the latest look failed with. */
  readonly problem: MicroError | undefined
  /** Ends all watches. */
  close(): void
}

export interface WatchesOptions {
  readonly database: Database
  readonly statements: Statements
  readonly namespace: string
  readonly pollInterval: number
  readonly history: number
}

/** Records that are read at a time; each may be large. */
const readAtATime = 50
const reset: StoreEvent = { type: 'reset' }

export function createWatches(options: WatchesOptions): Watches {
  const { database, statements, namespace, pollInterval, history } = options
  const readChanges = createChangeReader(options)
  const feeds = new Map<EventFeed<StoreEvent>, string>()
  let cursor: Cursor | undefined
  let problem: MicroError | undefined
  let failures = 0
  /** Watches that are about to begin. */
  let beginning = 0
  let isClosed = false
  let running: Promise<void> | undefined
  let following: Promise<void> | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  const tell = (event: StoreEvent, key?: string): void => {
    for (const [feed, prefix] of feeds) {
      if (key === undefined || key.startsWith(prefix)) feed.push(event)
    }
  }
  const isWatched = (key: string): boolean => {
    for (const prefix of feeds.values()) if (key.startsWith(prefix)) return true
    return false
  }
  const look = async (): Promise<void> => {
    const began = performance.now()
    const known = cursor
    const found = await readChanges(known)
    // Its history may have been swept, or it may be another server's by now.
    const isLost =
      known !== undefined &&
      (found.keys === undefined ||
        known.server !== found.cursor.server ||
        began - known.at > history / 2)
    const keys = isLost ? [] : (found.keys ?? []).filter(isWatched)
    const changed = await read(keys)
    cursor = { ...found.cursor, at: began }
    if (isLost) tell(reset)
    for (const key of keys) {
      const record = changed.get(key)
      tell(record === undefined ? { type: 'delete', key } : { type: 'put', record }, key)
    }
  }
  /** As they are by now: newer than the change perhaps, which then is found once more. */
  const read = async (keys: readonly string[]): Promise<Map<string, StoreRecord>> => {
    const records = new Map<string, StoreRecord>()
    for (let at = 0; at < keys.length; at += readAtATime) {
      const some = keys.slice(at, at + readAtATime).map(fromKey)
      const { rows } = await database.query(statements.readAll, [namespace, some], {
        repeatable: true,
        background: true,
      })
      for (const row of rows) {
        const record = toKeyedRecord(row)
        records.set(record.key, record)
      }
    }
    return records
  }
  const lookOnce = async (): Promise<void> => {
    clearTimeout(timer)
    try {
      await look()
      problem = undefined
      failures = 0
    } catch (error) {
      problem = MicroError.is(error) ? error : new MicroError('internal', String(error))
      failures += 1
      throw error
    } finally {
      schedule()
    }
  }
  /** Resolves after a look that began after the call. */
  const refresh = (): Promise<void> => {
    if (running === undefined) {
      running = lookOnce().finally(() => {
        running = undefined
      })
      return running
    }
    following ??= running.catch(ignore).then(() => {
      following = undefined
      return refresh()
    })
    return following
  }
  const schedule = (): void => {
    clearTimeout(timer)
    if (isClosed) return
    if (feeds.size + beginning === 0) {
      cursor = undefined
      return
    }
    const wait = jitter(pollInterval) + (failures && backoff(failures, { base: 50, max: 5_000 }))
    timer = unrefTimer(setTimeout(() => void refresh().catch(ignore), wait))
  }

  return {
    get problem() {
      return problem
    },
    async watch(prefix, { signal }) {
      beginning += 1
      try {
        await abortable(refresh(), signal)
      } finally {
        beginning -= 1
      }
      if (isClosed) throw new MicroError('failed_precondition', 'the store is closed')
      const feed = createEventFeed<StoreEvent>({
        keyOf: (event) =>
          event.type === 'put' ? event.record.key : 'key' in event ? event.key : '',
        overflow: reset,
        onClose() {
          feeds.delete(feed)
          if (feeds.size === 0) problem = undefined
        },
      })
      feeds.set(feed, prefix)
      schedule()
      return feed.watcher
    },
    close() {
      isClosed = true
      clearTimeout(timer)
      for (const feed of feeds.keys()) feed.end()
      feeds.clear()
    },
  }
}

function ignore(): void {}
