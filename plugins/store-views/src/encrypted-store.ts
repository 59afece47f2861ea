import {
  checkKey,
  checkList,
  checkOperations,
  checkWrite,
  type Store,
  type StoreEvent,
  type StoreListOptions,
  type StoreOperation,
  type StoreRecord,
} from '@micro/core/store'
import { createEnvelopes } from './envelope.ts'
import { type EncryptedStoreOptions, settleEncryption } from './options.ts'
import { createView } from './view.ts'

/**
 * A store whose values and metadata stand encrypted in the store below. Keys, versions, times and sizes
 * stand there in the clear.
 *
 * @throws `invalid_argument`, naming the option, never a key.
 */
export function encryptedStore(options: EncryptedStoreOptions): Store {
  const { store, keys } = settleEncryption(options)
  const envelopes = createEnvelopes(keys)
  let wrong: string | undefined
  const { lifecycle, component, follow } = createView({
    store,
    label: `encrypted store "${store.name}"`,
    problem: () => wrong,
  })
  const { commit, watch } = store

  const open = (record: StoreRecord): StoreRecord => {
    try {
      return envelopes.open(record)
    } catch (error) {
      wrong = (error as Error).message
      throw error
    }
  }
  /** A watch cannot fail: whoever lists meets the error. */
  const openEvent = (event: StoreEvent): StoreEvent => {
    if (event.type !== 'put') return event
    try {
      return { type: 'put', record: open(event.record) }
    } catch {
      return { type: 'reset' }
    }
  }
  const sealed = (operation: StoreOperation): StoreOperation => {
    if (operation.type !== 'write') return operation
    const { metadata = {}, ...rest } = operation
    return { ...rest, value: envelopes.seal(rest.key, rest.value, metadata) }
  }

  async function* list(listOptions: StoreListOptions = {}): AsyncGenerator<StoreRecord> {
    checkList(listOptions)
    await lifecycle.connect(listOptions)
    // Metadata is in the value, so that it must be read for keys alone too.
    for await (const record of store.list({ ...listOptions, keysOnly: false })) {
      const opened = open(record)
      yield listOptions.keysOnly === true ? { ...opened, value: new Uint8Array() } : opened
      await lifecycle.connect(listOptions)
    }
  }

  return {
    ...component,
    list,
    async read(key, readOptions) {
      checkKey(key)
      await lifecycle.connect(readOptions)
      const record = await store.read(key, readOptions)
      return record === undefined ? undefined : open(record)
    },
    async write(key, value, { metadata = {}, ...writeOptions } = {}) {
      checkKey(key)
      checkWrite(value, { ...writeOptions, metadata })
      // At once: the caller may go on using its buffer.
      const envelope = envelopes.seal(key, value, metadata)
      await lifecycle.connect(writeOptions)
      return await store.write(key, envelope, writeOptions)
    },
    async delete(key, deleteOptions) {
      checkKey(key)
      await lifecycle.connect(deleteOptions)
      return await store.delete(key, deleteOptions)
    },
    ...(commit === undefined
      ? {}
      : {
          async commit(operations, commitOptions) {
            checkOperations(operations)
            const below = operations.map(sealed)
            await lifecycle.connect(commitOptions)
            return await commit.call(store, below, commitOptions)
          },
        }),
    ...(watch === undefined
      ? {}
      : {
          async watch(prefix, watchOptions) {
            checkList({ prefix })
            await lifecycle.connect(watchOptions)
            return follow(await watch.call(store, prefix, watchOptions), openEvent)
          },
        }),
  }
}
