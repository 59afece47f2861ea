import { type AbortOptions, abortable, createLifecycle, type Health } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import {
  checkKey,
  checkList,
  checkOperations,
  checkWrite,
  type Store,
  type StoreListOptions,
  type StoreRecord,
} from '@micro/core/store'
import { createConnection, keysBelow, oneKey, readPage } from '@micro/etcd-client'
import { toRecord } from './envelope.ts'
import { createExpiries } from './expiry.ts'
import { type EtcdStoreOptions, settle } from './options.ts'
import { createTransactions } from './transactions.ts'
import { createWatches } from './watches.ts'

const label = 'store "etcd"'
const pageSize = 500
const noBytes = new Uint8Array()

/**
 * Small records in etcd.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function etcdStore(options: EtcdStoreOptions = {}): Store {
  const settings = settle(options)
  const { root } = settings
  const connection = createConnection(settings.etcd, label)
  const transactions = createTransactions(connection, createExpiries(connection), root)
  const watches = createWatches(connection, settings)
  const lifecycle = createLifecycle({
    label,
    close() {
      watches.close()
      connection.close()
    },
  })
  const ready = async (callOptions: AbortOptions | undefined): Promise<void> => {
    await lifecycle.connect(callOptions)
    callOptions?.signal?.throwIfAborted()
  }

  async function* list(listOptions: StoreListOptions = {}): AsyncGenerator<StoreRecord> {
    const { prefix = '', limit = Number.POSITIVE_INFINITY, keysOnly, signal } = listOptions
    checkList(listOptions)
    await ready(listOptions)
    let after = listOptions.after
    let revision: bigint | undefined
    for (let left = limit; left > 0; ) {
      const range = keysBelow(`${root}${prefix}`, after === undefined ? undefined : root + after)
      const wanted = Math.min(left, pageSize)
      let page: Awaited<ReturnType<typeof readPage>>
      try {
        page = await readPage(connection, range, { signal, revision, limit: wanted })
      } catch (error) {
        // A slow reader: what it has not read yet is as it is by now.
        if (!MicroError.is(error, 'out_of_range') || revision === undefined) throw error
        revision = undefined
        continue
      }
      for (const entry of page.entries) {
        signal?.throwIfAborted()
        if (lifecycle.closed) await ready(listOptions)
        const record = toRecord(root, entry)
        left -= 1
        after = record.key
        yield keysOnly === true ? { ...record, value: noBytes } : record
      }
      if (!page.more) return
      revision ??= page.position.revision
    }
  }

  return {
    name: 'etcd',
    contract: 'store/0',
    supports: { durable: true, commit: true, watch: true },
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health(): Health {
      if (lifecycle.closed) return { status: 'down' }
      const problem = watches.problem ?? connection.problem
      return problem === undefined
        ? { status: 'up' }
        : { status: 'degraded', detail: problem.detail }
    },
    list,

    async read(key, readOptions) {
      checkKey(key)
      await ready(readOptions)
      const { entries } = await readPage(connection, oneKey(`${root}${key}`), {
        signal: readOptions?.signal,
        limit: 1,
      })
      return entries[0] === undefined ? undefined : toRecord(root, entries[0])
    },

    async write(key, value, writeOptions = {}) {
      checkKey(key)
      checkWrite(value, writeOptions)
      await ready(writeOptions)
      const { signal, ...fields } = writeOptions
      const [version] = await transactions.run([{ ...fields, type: 'write', key, value }], {
        signal,
      })
      return version as string
    },

    async delete(key, deleteOptions = {}) {
      checkKey(key)
      await ready(deleteOptions)
      const { signal, ifVersion } = deleteOptions
      const [deleted] = await transactions.run([{ type: 'delete', key, ifVersion }], { signal })
      return deleted === true
    },

    async commit(operations, commitOptions = {}) {
      checkOperations(operations)
      await ready(commitOptions)
      const outcomes = await transactions.run(operations, commitOptions)
      return outcomes.map((outcome) => (typeof outcome === 'string' ? outcome : undefined))
    },

    async watch(prefix, watchOptions) {
      checkList({ prefix })
      await ready(watchOptions)
      return await abortable(
        runInRoot(() => watches.watch(prefix, { signal: watchOptions?.signal })),
        watchOptions?.signal,
      )
    },
  }
}
