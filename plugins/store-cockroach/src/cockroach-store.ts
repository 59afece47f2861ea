import { type AbortOptions, abortable, createLifecycle, type Health } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import {
  checkKey,
  checkList,
  checkOperations,
  checkWrite,
  type Store,
  type StoreOperation,
  type StoreRecord,
  type Version,
} from '@micro/core/store'
import { createDatabase, migrate } from '@micro/sql-client'
import { type Changes, createChanges } from './changes.ts'
import { createListing, type Listing } from './listing.ts'
import type { Loop } from './loop.ts'
import { type CockroachStoreOptions, settle } from './options.ts'
import { checkPublish, type OutboxMessage } from './outbox-messages.ts'
import { fromKey, toRecord } from './records.ts'
import { createRelay } from './relay.ts'
import { schemaOf } from './schema.ts'
import { makeStatements, type Statements } from './statements.ts'
import { createSweeper } from './sweeper.ts'
import { createWatches, type Watches } from './watches.ts'

export interface CommitOptions extends AbortOptions {
  /**
   * Messages that are published if the batch takes place, and never if it does not: at most 1000, to any
   * core broker, by an instance with option `outbox`. @default none
   */
  readonly publish?: readonly OutboxMessage[]
}

/** A store whose batches can publish. */
export interface CockroachStore extends Store {
  commit(
    operations: readonly StoreOperation[],
    options?: CommitOptions,
  ): Promise<readonly (Version | undefined)[]>
  watch: NonNullable<Store['watch']>
}

/** What there is once it is known which server it is. */
interface Opened {
  readonly statements: Statements
  readonly changes: Changes
  readonly list: Listing
  readonly watches: Watches
  readonly loops: readonly Loop[]
  readonly relay: Loop | undefined
}

const label = 'store "cockroach"'
/** Milliseconds that closing waits for what runs in the background; then it is cut off. */
const patience = 2_000

/**
 * Records in CockroachDB or PostgreSQL.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function cockroachStore(options: CockroachStoreOptions): CockroachStore {
  const settings = settle(options)
  const { namespace, table, sql, outbox } = settings
  const database = createDatabase(sql, label)
  let opened: Opened | undefined

  const open = async (): Promise<void> => {
    const statements = makeStatements(table, await database.server())
    await migrate(database, schemaOf(table), { apply: settings.migrate })
    const parts = { ...settings, database, statements, timeout: sql.timeout }
    const relay = outbox === undefined ? undefined : createRelay({ ...parts, outbox })
    opened = {
      statements,
      relay,
      changes: createChanges(parts),
      list: createListing({ ...parts, ready }),
      watches: createWatches(parts),
      loops: [createSweeper(parts), ...(relay === undefined ? [] : [relay])],
    }
  }
  const lifecycle = createLifecycle({
    label,
    open,
    async close() {
      opened?.watches.close()
      let timer: ReturnType<typeof setTimeout> | undefined
      const enough = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, patience)
      })
      const stopped = Promise.all((opened?.loops ?? []).map((loop) => loop.stop()))
      await Promise.race([stopped, enough])
      clearTimeout(timer)
      await database.close()
    },
  })
  const ready = async (callOptions: AbortOptions | undefined): Promise<Opened> => {
    if (!lifecycle.opened) await lifecycle.connect(callOptions)
    callOptions?.signal?.throwIfAborted()
    if (opened !== undefined && !lifecycle.closed) return opened
    throw new MicroError('failed_precondition', `${label} is closed`)
  }
  const checkSize = (value: Uint8Array): void => {
    if (value.length <= settings.maxValueBytes) return
    throw new MicroError(
      'resource_exhausted',
      `value: ${value.length} bytes; this store takes at most ${settings.maxValueBytes} (option maxValueBytes)`,
    )
  }

  async function* list(
    listOptions: Parameters<Store['list']>[0] = {},
  ): AsyncGenerator<StoreRecord> {
    checkList(listOptions)
    const { list: pages } = await ready(listOptions)
    yield* pages(listOptions)
  }

  return {
    name: 'cockroach',
    contract: 'store/0',
    supports: { durable: true, commit: true, watch: true },
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health(): Health {
      if (lifecycle.closed) return { status: 'down' }
      const failed = opened?.loops.map((loop) => loop.problem).find((one) => one !== undefined)
      const problem = database.problem ?? opened?.watches.problem ?? failed
      if (problem === undefined) return { status: 'up' }
      return {
        status: 'degraded',
        detail: MicroError.is(problem) ? problem.detail : String(problem),
      }
    },
    list,

    async read(key, readOptions) {
      checkKey(key)
      const { statements } = opened ?? (await ready(readOptions))
      const { rows } = await database.query(statements.read, [namespace, fromKey(key)], {
        signal: readOptions?.signal,
        repeatable: true,
      })
      return rows[0] === undefined ? undefined : toRecord(key, rows[0])
    },

    async write(key, value, writeOptions = {}) {
      checkKey(key)
      checkWrite(value, writeOptions)
      checkSize(value)
      const { changes } = opened ?? (await ready(writeOptions))
      return await changes.write(key, value, writeOptions)
    },

    async delete(key, deleteOptions = {}) {
      checkKey(key)
      const { changes } = await ready(deleteOptions)
      return await changes.delete(key, deleteOptions)
    },

    async commit(operations, { publish = [], signal } = {}) {
      // Messages alone are a batch too.
      if (publish.length === 0 || operations.length > 0) checkOperations(operations)
      for (const operation of operations) if (operation.type === 'write') checkSize(operation.value)
      checkPublish(publish)
      const { changes, relay } = await ready({ signal })
      const versions = await changes.commit(operations, { signal, publish })
      if (publish.length > 0) relay?.wake()
      return versions
    },

    async watch(prefix, watchOptions) {
      checkList({ prefix })
      const { watches } = await ready(watchOptions)
      return await abortable(
        runInRoot(() => watches.watch(prefix, { signal: watchOptions?.signal })),
        watchOptions?.signal,
      )
    },
  }
}
