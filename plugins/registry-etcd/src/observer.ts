import type { AbortOptions } from '@micro/core/component'
import type { MicroError } from '@micro/core/errors'
import { createRegistryFeed, type Node, type RegistryFeed } from '@micro/core/registry'
import {
  type EtcdConnection,
  type EtcdEntry,
  type FollowedRange,
  followRange,
  keysBelow,
} from '@micro/etcd-client'
import { createDoubts } from './doubts.ts'
import { type Layout, placeOf, prefixOf } from './layout.ts'
import type { RecordReader } from './records.ts'

export interface ObserverOptions {
  readonly connection: EtcdConnection
  readonly layout: Layout
  readonly reader: RecordReader
  readonly service: string | undefined
  readonly interval: number
  /** Milliseconds. */
  readonly lossGrace: number
  /** The last watcher has gone. */
  readonly onIdle: () => void
}

/** One watch of etcd for all who watch one service, or all services. */
export interface Observer {
  /** Another watcher. Its first event tells what is there now. */
  watch(options: AbortOptions): Promise<RegistryFeed['watcher']>
  /** What keeps it from being up to date. */
  readonly problem: MicroError | undefined
  /** Ends all watchers. */
  close(): void
}

export function createObserver(options: ObserverOptions): Observer {
  const { connection, layout, reader, service, interval, lossGrace, onIdle } = options
  const feeds = new Set<RegistryFeed>()
  const nodes = new Map<string, Node>()

  const told = (entry: EtcdEntry): void => {
    const node = reader.read(entry)
    if (node === undefined) {
      gone(entry.key)
      return
    }
    doubts.clear(entry.key)
    const known = nodes.get(entry.key)
    nodes.set(entry.key, node)
    if (known !== undefined && JSON.stringify(known) === JSON.stringify(node)) return
    for (const feed of feeds) feed.push({ type: 'put', node })
  }
  const gone = (key: string): void => {
    doubts.clear(key)
    const place = placeOf(layout, key)
    if (!nodes.delete(key) || place === undefined) return
    for (const feed of feeds) feed.push({ type: 'delete', ...place })
  }
  const doubts = createDoubts(lossGrace, gone)
  /** Nodes known before the latest outage, and when it ended. */
  let outage = { nodes: 0, end: Number.NEGATIVE_INFINITY }
  /**
   * What lapses in an outage, or right behind it, belongs to nodes that were cut off as well, and are
   * about to register again: would it leave less than half of them, it is not believed for a while.
   */
  const isDoubtful = (left: number): boolean =>
    performance.now() - outage.end < lossGrace && left < outage.nodes / 2
  const reset = (entries: ReadonlyMap<string, EtcdEntry>): void => {
    const before = new Map(nodes)
    outage = { nodes: before.size, end: performance.now() }
    nodes.clear()
    for (const entry of entries.values()) {
      const node = reader.read(entry)
      if (node === undefined) continue
      nodes.set(entry.key, node)
      doubts.clear(entry.key)
    }
    const missing = [...before].filter(([key]) => !entries.has(key))
    const isLoss = isDoubtful(before.size - missing.length)
    for (const [key, node] of missing) {
      if (isLoss) doubts.hold(key)
      if (doubts.has(key)) nodes.set(key, node)
    }
    for (const feed of feeds) feed.push({ type: 'reset', nodes: [...nodes.values()] })
  }

  const followed: FollowedRange = followRange(connection, {
    range: keysBelow(prefixOf(layout, service)),
    interval,
    onReset: reset,
    onPut: told,
    onDelete(entry) {
      reader.forget(entry.key)
      if (nodes.has(entry.key) && isDoubtful(nodes.size - 1)) doubts.hold(entry.key)
      else gone(entry.key)
    },
  })

  return {
    get problem() {
      return followed.problem
    },
    async watch(watchOptions) {
      const feed = createRegistryFeed(() => {
        feeds.delete(feed)
        if (feeds.size === 0) onIdle()
      })
      feeds.add(feed)
      try {
        await followed.refresh(watchOptions)
      } catch (error) {
        await feed.watcher[Symbol.asyncDispose]()
        throw error
      }
      // What was told meanwhile is part of it, and replaced by this.
      feed.push({ type: 'reset', nodes: [...nodes.values()] })
      return feed.watcher
    },
    close() {
      doubts.close()
      followed.stop()
      for (const feed of feeds) feed.end()
      feeds.clear()
    },
  }
}
