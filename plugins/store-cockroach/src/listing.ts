import type { AbortOptions } from '@micro/core/component'
import type { StoreListOptions, StoreRecord } from '@micro/core/store'
import type { Database } from '@micro/sql-client'
import { behind, fromKey, toKeyedRecord } from './records.ts'
import type { Statements } from './statements.ts'

export type Listing = (options: StoreListOptions) => AsyncGenerator<StoreRecord>

export interface ListingOptions {
  readonly database: Database
  readonly statements: Statements
  readonly namespace: string
  /** Rejects once the store is closed. */
  readonly ready: (options: AbortOptions) => Promise<unknown>
}

const firstPage = 16
const mostRecords = 1_000
/** Bytes of values that a page is to have at most, as far as the one before tells. */
const pageBytes = 2 ** 22

/** Pages by the key itself: however far a listing has come, the next page costs what it returns. */
export function createListing({ database, statements, namespace, ready }: ListingOptions): Listing {
  return async function* list({ prefix = '', after, limit, keysOnly = false, signal }) {
    const end = behind(prefix)
    const statement = statements.page(end !== undefined, keysOnly)
    let from = fromKey(prefix)
    if (after !== undefined) {
      const cursor = next(fromKey(after))
      if (Buffer.compare(cursor, from) > 0) from = cursor
    }
    let size = firstPage
    for (let left = limit ?? Number.POSITIVE_INFINITY; left > 0; ) {
      const wanted = Math.min(left, size)
      const { rows } = await database.query(
        statement,
        [namespace, from, wanted, ...(end === undefined ? [] : [end])],
        { signal, repeatable: true },
      )
      let bytes = 1
      for (const row of rows) {
        signal?.throwIfAborted()
        await ready({ signal })
        const record = toKeyedRecord(row)
        left -= 1
        bytes += record.value.length
        from = next(fromKey(record.key))
        yield record
      }
      if (rows.length < wanted) return
      const fitting = Math.floor((pageBytes * rows.length) / bytes)
      size = Math.max(1, Math.min(mostRecords, fitting, size * 4))
    }
  }
}

/** The first key behind this one. */
function next(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.from([0])])
}
