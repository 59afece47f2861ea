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
import { runInRoot } from '@micro/core/context'
import type { LeaderChange } from '@micro/core/sync'
import type { PlacesOptions } from './places.ts'

/** Tells who holds a place to all who ask, by one look at a time for all of them. */
export interface Observatory {
  observe(options: AbortOptions): Promise<Watcher<LeaderChange>>
  /** Ends all observations. */
  close(): void
}

/** `onIdle` is called when nobody observes any more. */
export function createObservatory(
  { database, statements, namespace, pollInterval }: PlacesOptions,
  place: string,
  onIdle: () => void,
): Observatory {
  const feeds = new Set<EventFeed<LeaderChange>>()
  const how = { repeatable: true, background: true }
  let told: LeaderChange = { leader: undefined }
  let timer: ReturnType<typeof setTimeout> | undefined
  let failures = 0
  let isClosed = false

  const look = async (): Promise<LeaderChange> => {
    const { rows } = await database.query(statements.holder, [namespace, place], how)
    const [id, token] = rows[0] ?? []
    const leader = id == null || token == null ? undefined : { id, token: BigInt(token) }
    // A look that began earlier and ended later knows less.
    const isOlder = (leader?.token ?? 0n) < (told.leader?.token ?? 0n) && leader !== undefined
    if (leader?.token === told.leader?.token || isOlder) return told
    told = { leader }
    for (const feed of feeds) feed.push(told)
    return told
  }
  const poll = async (): Promise<void> => {
    try {
      await look()
      failures = 0
    } catch {
      // Who led last is told until it is known better.
      failures += 1
    }
    schedule()
  }
  const schedule = (): void => {
    clearTimeout(timer)
    if (isClosed || feeds.size === 0) return
    const more = failures === 0 ? 0 : backoff(failures, { base: 50, max: 5_000 })
    timer = unrefTimer(setTimeout(() => void poll(), jitter(pollInterval, 0.5) + more))
  }

  return {
    async observe({ signal }) {
      const feed = createEventFeed<LeaderChange>({
        // Only who leads now is of interest.
        keyOf: () => '',
        overflow: { leader: undefined },
        onClose() {
          feeds.delete(feed)
          if (feeds.size === 0) onIdle()
        },
      })
      feeds.add(feed)
      try {
        const now = await abortable(runInRoot(look), signal)
        feed.push(now)
        runInRoot(schedule)
        return feed.watcher
      } catch (error) {
        await feed.watcher[Symbol.asyncDispose]()
        throw error
      }
    },
    close() {
      isClosed = true
      clearTimeout(timer)
      for (const feed of feeds) feed.end()
      feeds.clear()
    },
  }
}
