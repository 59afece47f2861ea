import type { Watcher } from '../component/event-feed.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { Store, StoreEvent, StoreRecord } from './store.ts'
import { checkKey, checkList, checkOperations } from './store-rules.ts'

export interface NamespacedStoreOptions {
  readonly store: Store
  /** Up to 64 letters, digits, `_`, `.` and `-`. Its keys are `<namespace>/<key>` below. */
  readonly namespace: string
}

/**
 * A store within a store: `a` does not see what `ab` holds. Keys lose the namespace's bytes from
 * their length. The store below stays its owner's: closing this one does not close it.
 */
export function namespacedStore(options: NamespacedStoreOptions): Store {
  const { store, namespace } = options
  if (!/^[A-Za-z0-9_.-]{1,64}$/.test(namespace)) {
    throw new MicroError(
      'invalid_argument',
      `namespace: ${JSON.stringify(namespace)}; use 1 to 64 letters, digits, "_", "." and "-"`,
    )
  }
  const root = `${namespace}/`
  const inside = (key: string): string => {
    checkKey(key)
    return root + key
  }
  const outside = (record: StoreRecord): StoreRecord => ({
    ...record,
    key: record.key.slice(root.length),
  })
  const outsideEvent = (event: StoreEvent): StoreEvent => {
    if (event.type === 'put') return { type: 'put', record: outside(event.record) }
    return event.type === 'delete' ? { type: 'delete', key: event.key.slice(root.length) } : event
  }
  const { commit, watch } = store

  return {
    name: store.name,
    contract: 'store/0',
    supports: store.supports,
    connect: (connectOptions) => store.connect(connectOptions),
    close: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
    health: () => store.health(),
    async read(key, readOptions) {
      const record = await store.read(inside(key), readOptions)
      return record === undefined ? undefined : outside(record)
    },
    write: async (key, value, writeOptions) => store.write(inside(key), value, writeOptions),
    delete: async (key, deleteOptions) => store.delete(inside(key), deleteOptions),
    async *list(listOptions = {}) {
      checkList(listOptions)
      const { prefix = '', after } = listOptions
      const below = {
        ...listOptions,
        prefix: root + prefix,
        ...(after === undefined ? {} : { after: root + after }),
      }
      for await (const record of store.list(below)) yield outside(record)
    },
    ...(commit === undefined
      ? {}
      : {
          commit: async (operations, commitOptions) => {
            checkOperations(operations)
            const moved = operations.map((operation) => ({
              ...operation,
              key: root + operation.key,
            }))
            return commit.call(store, moved, commitOptions)
          },
        }),
    ...(watch === undefined
      ? {}
      : {
          watch: async (prefix, watchOptions) => {
            checkList({ prefix })
            const watcher = await watch.call(store, root + prefix, watchOptions)
            return mapped(watcher, outsideEvent)
          },
        }),
  }
}

function mapped(
  watcher: Watcher<StoreEvent>,
  map: (event: StoreEvent) => StoreEvent,
): Watcher<StoreEvent> {
  const result: Watcher<StoreEvent> = {
    async next() {
      const step = await watcher.next()
      return step.done === true ? step : { done: false, value: map(step.value) }
    },
    async return() {
      await watcher[Symbol.asyncDispose]()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]: () => result,
    [Symbol.asyncDispose]: () => watcher[Symbol.asyncDispose](),
  }
  return result
}
