import {
  type AbortOptions,
  createEventFeed,
  type EventFeed,
  type Watcher,
} from '@micro/core/component'
import type { LeaderChange } from '@micro/core/sync'
import { type EtcdConnection, followRange, keysBelow } from '@micro/etcd-client'

/** Tells who leads, to all who ask about one election, by one watch of etcd. */
export interface Observatory {
  observe(options: AbortOptions): Promise<Watcher<LeaderChange>>
  /** Ends all observations. */
  close(): void
}

/** `onIdle` is called when nobody observes any more. */
export function createObservatory(
  connection: EtcdConnection,
  prefix: string,
  onIdle: () => void,
): Observatory {
  const feeds = new Set<EventFeed<LeaderChange>>()
  let told: LeaderChange = { leader: undefined }

  const look = (): void => {
    let leader: LeaderChange['leader']
    for (const { value, createRevision: token } of followed.entries.values()) {
      if (leader === undefined || token < leader.token) leader = { id: value.toString(), token }
    }
    // Those who wait come and go.
    if (leader?.token === told.leader?.token) return
    told = { leader }
    for (const feed of feeds) feed.push(told)
  }
  const followed = followRange(connection, {
    range: keysBelow(prefix),
    onReset: look,
    onPut: look,
    onDelete: look,
  })

  return {
    async observe(options) {
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
        await followed.refresh(options)
      } catch (error) {
        await feed.watcher[Symbol.asyncDispose]()
        throw error
      }
      feed.push(told)
      return feed.watcher
    },
    close() {
      followed.stop()
      for (const feed of feeds) feed.end()
      feeds.clear()
    },
  }
}
