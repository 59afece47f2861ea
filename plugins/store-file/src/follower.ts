import { setImmediate } from 'node:timers/promises'
import { createEventFeed, type EventFeed, sleep, type Watcher } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import type { StoreEvent } from '@micro/core/store'
import type { SqliteFile } from '@micro/sqlite-file'
import { lastChange } from './changes.ts'
import { isAlive, type Row, recordOf, type Statements } from './records.ts'

/** Reads the log of changes for all watches of a store. */
export interface Follower {
  /** Sees what changes once this has resolved. */
  watch(prefix: string): Promise<Watcher<StoreEvent>>
  /** Ends all watches. */
  close(): void
}

interface Watch {
  readonly feed: EventFeed<StoreEvent>
  readonly prefix: string
  /** Changes up to this one were before it began. */
  readonly from: number
}

const pageSize = 256
const reset: StoreEvent = { type: 'reset' }
type Change = { readonly number: number; readonly key: string }

export function createFollower(file: SqliteFile<Statements>): Follower {
  const watches = new Set<Watch>()
  let cursor = 0
  let looking = false
  let again = false
  let unfollow: (() => void) | undefined

  const tell = ({ number, key }: Change, statements: Statements): void => {
    let event: StoreEvent | undefined
    for (const { feed, prefix, from } of watches) {
      if (number <= from || !key.startsWith(prefix)) continue
      event ??= eventOf(key, statements)
      feed.push(copyOf(event))
    }
  }
  const eventOf = (key: string, statements: Statements): StoreEvent => {
    const row = statements.read.get(key) as Row | undefined
    // One whose time is over is gone, whether it has been swept or not.
    if (row === undefined || !isAlive(row, Date.now())) return { type: 'delete', key }
    const record = recordOf(row)
    // It cannot be told, and must not be passed over: whoever lists meets the error.
    return record === undefined ? reset : { type: 'put', record }
  }
  /** Whether there may be more. */
  const readPage = (statements: Statements): boolean => {
    const page = statements.changesAfter.all(cursor, pageSize) as unknown as Change[]
    const first = page[0]
    const missed =
      first === undefined ? lastChange(statements) !== cursor : first.number > cursor + 1
    if (missed) {
      cursor = lastChange(statements)
      for (const { feed } of watches) feed.push(reset)
      return false
    }
    // Changes of one key within a page are told once, at the place of the last one.
    const latest = new Map<string, Change>()
    for (const change of page) {
      latest.delete(change.key)
      latest.set(change.key, change)
    }
    for (const change of latest.values()) tell(change, statements)
    cursor = page.at(-1)?.number ?? cursor
    return page.length === pageSize
  }
  const look = async (): Promise<void> => {
    for (let failures = 0; watches.size > 0; ) {
      try {
        again = false
        const more = await file.read(readPage)
        failures = 0
        if (!more && !again) return
        await setImmediate()
      } catch {
        // The file says so in its health. What was missed is read from the log once it can be.
        await sleep(Math.min(5_000, 100 * 2 ** failures++))
      }
    }
  }
  const lookSoon = async (): Promise<void> => {
    await setImmediate()
    await look()
    looking = false
    if (again && watches.size > 0) onChange()
  }
  const onChange = (): void => {
    again = true
    if (looking) return
    looking = true
    void runInRoot(lookSoon)
  }

  return {
    async watch(prefix) {
      const from = await file.read(lastChange)
      if (watches.size === 0) {
        cursor = from
        unfollow ??= file.follow(onChange)
      }
      const watch: Watch = {
        prefix,
        from,
        feed: createEventFeed<StoreEvent>({
          keyOf: (event) =>
            event.type === 'put' ? event.record.key : event.type === 'delete' ? event.key : '',
          overflow: reset,
          onClose() {
            watches.delete(watch)
            if (watches.size > 0) return
            unfollow?.()
            unfollow = undefined
          },
        }),
      }
      watches.add(watch)
      // For what others have changed between the read and the first look.
      onChange()
      return watch.feed.watcher
    },
    close() {
      unfollow?.()
      unfollow = undefined
      const ending = [...watches]
      watches.clear()
      for (const { feed } of ending) feed.end()
    },
  }
}

/** What one reader does with a record must not change it for another. */
function copyOf(event: StoreEvent): StoreEvent {
  if (event.type !== 'put') return event
  const { record } = event
  const copy = { ...record, value: record.value.slice(), metadata: { ...record.metadata } }
  return { type: 'put', record: copy }
}
