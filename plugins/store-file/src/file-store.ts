import { setImmediate } from 'node:timers/promises'
import { type AbortOptions, createLifecycle } from '@micro/core/component'
import {
  checkKey,
  checkList,
  checkOperations,
  checkWrite,
  compareKeys,
  type Store,
  type StoreListOptions,
  type StoreOperation,
  type StoreRecord,
} from '@micro/core/store'
import { createSqliteFile } from '@micro/sqlite-file'
import { apply, requireSize } from './changes.ts'
import { createFollower } from './follower.ts'
import { type FileStoreOptions, settle } from './options.ts'
import { isAlive, layout, prepare, type Row, recordOf, type Statements } from './records.ts'
import { createSweeper } from './sweeper.ts'

const label = 'store "file"'
/** Of a page of a listing, whichever is reached first: it is read in one go. */
const pageSize = 128
const pageBytes = 262_144

/**
 * Records in a SQLite file that the processes of one machine share.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function fileStore(options: FileStoreOptions): Store {
  const settings = settle(options)
  const file = createSqliteFile<Statements>({
    settings: settings.file,
    label,
    layout,
    prepare(database) {
      if (settings.maxFileSize !== undefined) {
        const { page_size: size } = database.prepare('PRAGMA page_size').get() as {
          page_size: number
        }
        database.exec(`PRAGMA max_page_count = ${Math.floor(settings.maxFileSize / size)}`)
      }
      return prepare(database)
    },
  })
  const follower = createFollower(file)
  const sweeper = createSweeper(file, settings)
  const lifecycle = createLifecycle({
    label,
    async open() {
      await file.open()
      sweeper.start()
    },
    async close() {
      sweeper.stop()
      follower.close()
      await file.close()
    },
  })

  /** `connect`, at less cost where there is nothing to wait for. */
  const ready = async (callOptions: AbortOptions | undefined): Promise<void> => {
    if (!lifecycle.opened) await lifecycle.connect(callOptions)
    else callOptions?.signal?.throwIfAborted()
  }
  const recordIn = (row: Row): StoreRecord => {
    const record = recordOf(row)
    if (record === undefined)
      throw file.damaged(`the record ${JSON.stringify(row.key)} is not what was written`)
    return record
  }
  /** The transaction runs later, and the caller may go on using its buffer: so it is copied now. */
  const change = async (
    operations: readonly StoreOperation[],
    { signal }: AbortOptions,
  ): Promise<ReturnType<typeof apply>> => {
    let bytes = 0
    const own = operations.map((operation) => {
      if (operation.type !== 'write') return operation
      bytes += operation.value.length
      requireSize(operation.value, settings.maxValueSize)
      return { ...operation, value: new Uint8Array(operation.value) }
    })
    await ready({ signal })
    return await file.change((statements) => apply(statements, own, settings), { signal, bytes })
  }

  async function* list(listOptions: StoreListOptions = {}): AsyncGenerator<StoreRecord> {
    const { prefix = '', after, limit = Number.POSITIVE_INFINITY, keysOnly, signal } = listOptions
    checkList(listOptions)
    await lifecycle.connect(listOptions)
    let left = limit
    let place = startOf(prefix, after)
    while (left > 0) {
      const wanted = Math.min(left, pageSize)
      const { rows, last } = await file.read(
        (statements) => readPage(statements, { place, prefix, wanted, keysOnly }),
        { signal },
      )
      const now = Date.now()
      for (const row of rows) {
        signal?.throwIfAborted()
        if (!isAlive(row, now)) continue
        left -= 1
        yield recordIn(row)
      }
      if (last === undefined) return
      place = { key: last, included: false }
      // Between pages others have their turn.
      await setImmediate()
      await lifecycle.connect(listOptions)
    }
  }

  return {
    name: 'file',
    contract: 'store/0',
    supports: { durable: true, commit: true, watch: true },
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health: file.health,
    list,

    async read(key, readOptions) {
      checkKey(key)
      await ready(readOptions)
      return await file.read((statements) => {
        const row = statements.read.get(key) as Row | undefined
        return row === undefined || !isAlive(row, Date.now()) ? undefined : recordIn(row)
      }, readOptions)
    },

    async write(key, value, writeOptions = {}) {
      checkKey(key)
      checkWrite(value, writeOptions)
      const [version] = await change([{ ...writeOptions, type: 'write', key, value }], writeOptions)
      return String(version)
    },

    async delete(key, deleteOptions = {}) {
      checkKey(key)
      const { ifVersion } = deleteOptions
      const [found] = await change([{ type: 'delete', key, ifVersion }], deleteOptions)
      return found === true
    },

    async commit(operations, commitOptions = {}) {
      checkOperations(operations)
      const made = await change(operations, commitOptions)
      return made.map((version) => (typeof version === 'number' ? String(version) : undefined))
    },

    async watch(prefix, watchOptions) {
      checkList({ prefix })
      await lifecycle.connect(watchOptions)
      return await follower.watch(prefix)
    },
  }
}

interface Place {
  readonly key: string
  readonly included: boolean
}

function startOf(prefix: string, after: string | undefined): Place {
  if (after !== undefined && compareKeys(after, prefix) >= 0) return { key: after, included: false }
  return { key: prefix, included: true }
}

interface Page {
  readonly rows: readonly Row[]
  /** Where the next page begins, if there may be one. */
  readonly last: string | undefined
}

function readPage(
  statements: Statements,
  {
    place,
    prefix,
    wanted,
    keysOnly,
  }: { place: Place; prefix: string; wanted: number; keysOnly: boolean | undefined },
): Page {
  const rows: Row[] = []
  let bytes = 0
  const [first, rest] =
    keysOnly === true
      ? [statements.firstOfKeys, statements.pageOfKeys]
      : [statements.first, statements.page]
  const statement = place.included ? first : rest
  for (const row of statement.iterate(place.key, wanted) as Iterable<unknown> as Iterable<Row>) {
    if (!row.key.startsWith(prefix)) return { rows, last: undefined }
    rows.push(row)
    bytes += row.value?.length ?? 0
    if (bytes >= pageBytes) return { rows, last: row.key }
  }
  return { rows, last: rows.length < wanted ? undefined : rows.at(-1)?.key }
}
