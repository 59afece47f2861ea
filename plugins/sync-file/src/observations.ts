import { createEventFeed, type EventFeed, sleep, type Watcher } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import type { LeaderChange } from '@micro/core/sync'
import type { SqliteFile } from '@micro/sqlite-file'
import { holderOf, type Statements } from './places.ts'
import { createAlarm, type Waiting } from './waiting.ts'

/** Tells who leads, to those who ask. */
export interface Observations {
  observe(place: string): Promise<Watcher<LeaderChange>>
  /** Ends all. */
  close(): void
}

export function createObservations(file: SqliteFile<Statements>, waiting: Waiting): Observations {
  const feeds = new Map<EventFeed<LeaderChange>, AbortController>()

  const follow = async (
    place: string,
    feed: EventFeed<LeaderChange>,
    signal: AbortSignal,
  ): Promise<void> => {
    const alarm = createAlarm(false)
    const unfollow = waiting.follow(alarm.ring)
    let told: bigint | undefined
    try {
      for (let failures = 0; ; ) {
        try {
          const holder = await file.read((statements) => holderOf(statements, place), { signal })
          failures = 0
          if (holder?.token !== told) feed.push(changeOf(holder))
          told = holder?.token
          // A lease that ends by itself changes nothing in the file.
          await alarm.next(
            holder === undefined ? Number.POSITIVE_INFINITY : holder.left + 1,
            signal,
          )
        } catch {
          if (signal.aborted) return
          // The file says so in its health; who leads is told once it can be read.
          await sleep(Math.min(5_000, 100 * 2 ** failures++), { signal })
        }
      }
    } finally {
      unfollow()
    }
  }

  return {
    async observe(place) {
      // Who asks hears of a file that cannot be read.
      await file.read((statements) => holderOf(statements, place))
      const ending = new AbortController()
      const feed = createEventFeed<LeaderChange>({
        // Only who leads now is of interest.
        keyOf: () => '',
        overflow: { leader: undefined },
        onClose() {
          feeds.delete(feed)
          ending.abort()
        },
      })
      feeds.set(feed, ending)
      feed.push(changeOf(await file.read((statements) => holderOf(statements, place))))
      runInRoot(() => follow(place, feed, ending.signal)).catch(() => feed.end())
      return feed.watcher
    },
    close() {
      for (const [feed, ending] of feeds) {
        ending.abort()
        feed.end()
      }
      feeds.clear()
    },
  }
}

function changeOf(
  holder: { readonly id: string; readonly token: bigint } | undefined,
): LeaderChange {
  return { leader: holder === undefined ? undefined : { id: holder.id, token: holder.token } }
}
