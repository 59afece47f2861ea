import { type AbortOptions, abortable, backoff, sleep, type Watcher } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import {
  checkKey,
  checkList,
  checkOperations,
  type Store,
  type StoreEvent,
  type StoreListOptions,
  type StoreRecord,
} from '@micro/core/store'
import { Cache } from './cache.ts'
import { type CachedStoreOptions, settleCache } from './options.ts'
import { createView } from './view.ts'

/**
 * A store that answers reads from memory where it can. Many who miss the same key at once are answered by
 * one read of the store below. Lists are not cached. What may be stale, and for how long, is in the README.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function cachedStore(options: CachedStoreOptions): Store {
  const settings = settleCache(options)
  const { store, ttl } = settings
  const cache = new Cache(settings.maxEntries, settings.maxBytes)
  /** Reads that are under way, by key. One that is told of a change is left here no longer. */
  const reads = new Map<string, Promise<StoreRecord | undefined>>()
  const closing = new AbortController()
  let problem: string | undefined
  let watching: Watcher<StoreEvent> | undefined
  const { lifecycle, component, follow } = createView({
    store,
    label: `cached store "${store.name}"`,
    problem: () => problem,
    async open() {
      const watcher = settings.watch ? await store.watch?.('') : undefined
      if (watcher === undefined) return
      watching = watcher
      void runInRoot(() => listen(watcher))
    },
    async close() {
      closing.abort(new MicroError('failed_precondition', 'it has been closed'))
      await watching?.[Symbol.asyncDispose]()
      forgetAll()
    },
  })
  const { commit, watch } = store

  const forget = (key: string): void => {
    cache.delete(key)
    reads.delete(key)
  }
  const forgetAll = (): void => {
    cache.clear()
    reads.clear()
  }
  const heed = (event: StoreEvent): StoreEvent => {
    if (event.type === 'reset') forgetAll()
    else forget(event.type === 'put' ? event.record.key : event.key)
    return event
  }
  /** Follows the store below. Should its watch fail, the ttl alone bounds what is stale, until it is back. */
  const listen = async (first: Watcher<StoreEvent>): Promise<void> => {
    const { signal } = closing
    for (let failures = 0, watcher: Watcher<StoreEvent> | undefined = first; !signal.aborted; ) {
      try {
        watcher ??= await store.watch?.('', { signal })
        if (watcher === undefined) return
        watching = watcher
        if (failures > 0) forgetAll()
        failures = 0
        problem = undefined
        for (let step = await watcher.next(); step.done !== true; step = await watcher.next()) {
          heed(step.value)
        }
        throw new MicroError('unavailable', 'the watch has ended')
      } catch (error) {
        watcher = undefined
        if (signal.aborted) return
        const why = MicroError.is(error) ? error.detail : String(error)
        problem = `changes by others are seen after ${ttl} ms: ${why}`
        const wait = 50 + backoff(failures++, { base: 100, max: 5_000 })
        await sleep(wait, { signal }).catch(() => undefined)
      }
    }
  }
  const readBelow = (key: string): Promise<StoreRecord | undefined> => {
    // For all who ask meanwhile, so that no one's signal or deadline is in it.
    const reading = runInRoot(() => store.read(key))
    reads.set(key, reading)
    const isCurrent = (): boolean => reads.get(key) === reading
    reading.then(
      (record) => {
        if (!isCurrent()) return
        reads.delete(key)
        if (!lifecycle.closed) cache.set(key, record, ttl)
      },
      () => {
        if (isCurrent()) reads.delete(key)
      },
    )
    return reading
  }
  /** What was known before is not true after, nor what is read meanwhile, whether the change succeeds or not. */
  const changing = async <T>(
    keys: readonly string[],
    changeOptions: AbortOptions | undefined,
    work: () => Promise<T>,
  ): Promise<T> => {
    await lifecycle.connect(changeOptions)
    for (const key of keys) forget(key)
    try {
      return await work()
    } finally {
      for (const key of keys) forget(key)
    }
  }

  async function* list(listOptions: StoreListOptions = {}): AsyncGenerator<StoreRecord> {
    checkList(listOptions)
    await lifecycle.connect(listOptions)
    for await (const record of store.list(listOptions)) {
      yield record
      await lifecycle.connect(listOptions)
    }
  }

  return {
    ...component,
    list,
    async read(key, readOptions) {
      checkKey(key)
      await lifecycle.connect(readOptions)
      const entry = cache.get(key)
      const record =
        entry === undefined
          ? await abortable(reads.get(key) ?? readBelow(key), readOptions?.signal)
          : entry.record
      return record === undefined ? undefined : copyOf(record)
    },
    async write(key, value, writeOptions) {
      checkKey(key)
      return await changing([key], writeOptions, () => store.write(key, value, writeOptions))
    },
    async delete(key, deleteOptions) {
      checkKey(key)
      return await changing([key], deleteOptions, () => store.delete(key, deleteOptions))
    },
    ...(commit === undefined
      ? {}
      : {
          async commit(operations, commitOptions) {
            checkOperations(operations)
            const keys = operations.map(({ key }) => key)
            return await changing(keys, commitOptions, () =>
              commit.call(store, operations, commitOptions),
            )
          },
        }),
    ...(watch === undefined
      ? {}
      : {
          async watch(prefix, watchOptions) {
            checkList({ prefix })
            await lifecycle.connect(watchOptions)
            // Who was told of a change reads no older state afterwards.
            return follow(await watch.call(store, prefix, watchOptions), heed)
          },
        }),
  }
}

/** What readers do with a record must not change it for others. */
function copyOf(record: StoreRecord): StoreRecord {
  return { ...record, value: new Uint8Array(record.value), metadata: { ...record.metadata } }
}
