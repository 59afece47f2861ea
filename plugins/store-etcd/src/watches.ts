import {
  type AbortOptions,
  createEventFeed,
  type EventFeed,
  type Watcher,
} from '@micro/core/component'
import type { MicroError } from '@micro/core/errors'
import type { StoreEvent } from '@micro/core/store'
import {
  type EtcdConnection,
  type EtcdEvent,
  type Following,
  follow,
  keysBelow,
  type Position,
  readPage,
} from '@micro/etcd-client'
import { toRecord } from './envelope.ts'
import type { Settings } from './options.ts'

/** All watches of one store: one of etcd for each prefix, however many watch it. */
export interface Watches {
  watch(prefix: string, options: AbortOptions): Promise<Watcher<StoreEvent>>
  /** What keeps one of them from being told of changes. */
  readonly problem: MicroError | undefined
  /** Ends all of them. */
  close(): void
}

interface SharedWatch {
  readonly following: Following
  /** With the revision that each watcher knew when it began. */
  readonly feeds: Map<EventFeed<StoreEvent>, bigint>
  problem: MicroError | undefined
}

const reset: StoreEvent = { type: 'reset' }

export function createWatches(connection: EtcdConnection, settings: Settings): Watches {
  const { root, watchLimit, watchInterval } = settings
  const shared = new Map<string, SharedWatch>()

  const positionNow = async (prefix: string, options: AbortOptions): Promise<Position> => {
    const range = keysBelow(`${root}${prefix}`)
    return (await readPage(connection, range, { ...options, limit: 1, keysOnly: true })).position
  }
  const begin = (prefix: string): SharedWatch => {
    const feeds: SharedWatch['feeds'] = new Map()
    let begun = false
    const following = follow(connection, {
      range: keysBelow(`${root}${prefix}`),
      interval: watchInterval,
      async begin(previous, signal) {
        const now = await positionNow(prefix, { signal })
        if (previous !== undefined && isBehind(previous, now)) return previous
        // Compacted, or another history: what happened in between cannot be known.
        if (begun) {
          for (const feed of feeds.keys()) {
            feeds.set(feed, 0n)
            feed.push(reset)
          }
        }
        begun = true
        return now
      },
      onEvents(events) {
        for (const event of events) tell(feeds, event)
      },
      onProblem(problem) {
        made.problem = problem
      },
    })
    const made: SharedWatch = { following, feeds, problem: undefined }
    return made
  }
  const tell = (feeds: SharedWatch['feeds'], event: EtcdEvent): void => {
    const revision = event.type === 'put' ? event.entry.modRevision : event.revision
    const told: StoreEvent =
      event.type === 'put'
        ? { type: 'put', record: toRecord(root, event.entry) }
        : { type: 'delete', key: event.key.slice(root.length) }
    for (const [feed, known] of feeds) if (revision > known) feed.push(told)
  }

  return {
    get problem() {
      return [...shared.values()].find(({ problem }) => problem !== undefined)?.problem
    },
    async watch(prefix, options) {
      let watch = shared.get(prefix)
      if (watch === undefined) {
        watch = begin(prefix)
        shared.set(prefix, watch)
      }
      const { feeds, following } = watch
      const feed = createEventFeed<StoreEvent>({
        keyOf: (event) =>
          event.type === 'put' ? event.record.key : (event as { key: string }).key,
        overflow: reset,
        limit: watchLimit,
        onClose() {
          feeds.delete(feed)
          if (feeds.size > 0) return
          following.stop()
          if (shared.get(prefix)?.feeds === feeds) shared.delete(prefix)
        },
      })
      // Nothing until it is known what is new to it.
      feeds.set(feed, 2n ** 63n)
      try {
        await following.started(options)
        const { revision } = await positionNow(prefix, options)
        feeds.set(feed, revision)
      } catch (error) {
        await feed.watcher[Symbol.asyncDispose]()
        throw error
      }
      return feed.watcher
    },
    close() {
      for (const { following, feeds } of shared.values()) {
        following.stop()
        for (const feed of feeds.keys()) feed.end()
      }
      shared.clear()
    },
  }
}

/** Whether `now` is later in the same history. etcd that has lost its data begins another. */
function isBehind(previous: Position, now: Position): boolean {
  return (
    previous.clusterId === now.clusterId &&
    previous.revision <= now.revision &&
    previous.term <= now.term
  )
}
