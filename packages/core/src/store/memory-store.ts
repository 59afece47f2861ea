import type { EventFeed } from '../component/event-feed.ts'
import { createLifecycle } from '../component/lifecycle.ts'
import { copyOf, MemoryStoreBackend, type MemoryStoreLimits } from './memory-store-backend.ts'
import type { Store, StoreEvent, StoreListOptions, StoreRecord } from './store.ts'
import { checkKey, checkList, checkOperations, checkWrite, compareKeys } from './store-rules.ts'

export interface MemoryStoreOptions {
  /** Share one between stores to let them see the same records. @default its own */
  readonly backend?: MemoryStoreBackend
  /** Of its own backend. */
  readonly limits?: MemoryStoreLimits
}

const pageSize = 128
const noBytes = new Uint8Array()

/** Records in the memory of this process, in order. */
export function memoryStore(options: MemoryStoreOptions = {}): Store {
  const backend = options.backend ?? new MemoryStoreBackend(options.limits)
  const feeds = new Set<EventFeed<StoreEvent>>()
  const lifecycle = createLifecycle({
    label: 'store "memory"',
    close() {
      for (const feed of feeds) backend.unwatch(feed)
      feeds.clear()
    },
  })

  async function* list(listOptions: StoreListOptions = {}): AsyncGenerator<StoreRecord> {
    const { prefix = '', after, limit = Number.POSITIVE_INFINITY, keysOnly, signal } = listOptions
    checkList(listOptions)
    await lifecycle.connect(listOptions)
    let left = limit
    let cursor = after !== undefined && compareKeys(after, prefix) > 0 ? after : prefix
    let beyond = cursor === after
    while (left > 0) {
      const wanted = Math.min(left, pageSize)
      const page = backend.page(prefix, cursor, beyond, wanted)
      const now = Date.now()
      for (const record of page) {
        signal?.throwIfAborted()
        if (record.expiresAt !== undefined && record.expiresAt <= now) continue
        left -= 1
        yield keysOnly === true ? { ...record, value: noBytes } : copyOf(record)
      }
      if (page.length < wanted) return
      cursor = (page.at(-1) as StoreRecord).key
      beyond = true
      await lifecycle.connect(listOptions)
    }
  }

  return {
    name: 'memory',
    contract: 'store/0',
    supports: { durable: false, commit: true, watch: true },
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health: () => ({ status: lifecycle.closed ? 'down' : 'up' }),
    list,

    async read(key, readOptions) {
      checkKey(key)
      await lifecycle.connect(readOptions)
      const record = backend.get(key)
      return record === undefined ? undefined : copyOf(record)
    },

    async write(key, value, writeOptions = {}) {
      checkKey(key)
      checkWrite(value, writeOptions)
      await lifecycle.connect(writeOptions)
      return backend.apply([{ ...writeOptions, type: 'write', key, value }])[0] as string
    },

    async delete(key, deleteOptions = {}) {
      checkKey(key)
      await lifecycle.connect(deleteOptions)
      const found = backend.get(key) !== undefined
      backend.apply([{ type: 'delete', key, ifVersion: deleteOptions.ifVersion }])
      return found
    },

    async commit(operations, commitOptions) {
      checkOperations(operations)
      await lifecycle.connect(commitOptions)
      return backend.apply(operations)
    },

    async watch(prefix, watchOptions) {
      checkList({ prefix })
      await lifecycle.connect(watchOptions)
      const feed = backend.watch(prefix, () => feeds.delete(feed))
      feeds.add(feed)
      return feed.watcher
    },
  }
}
