import type { AbortOptions } from '@micro/core/component'
import {
  alreadyThere,
  conflict,
  type StoreOperation,
  type Version,
  type WriteOptions,
} from '@micro/core/store'
import type { Database } from '@micro/sql-client'
import { runBatch } from './batch.ts'
import { createIds, isVersion } from './ids.ts'
import type { OutboxMessage } from './outbox-messages.ts'
import { fromKey, fromMetadata } from './records.ts'
import { left, tookPlace } from './settle-unknown.ts'
import type { Statements } from './statements.ts'

/** Makes changes, each of them once. */
export interface Changes {
  write(key: string, value: Uint8Array, options: WriteOptions): Promise<Version>
  delete(
    key: string,
    options: AbortOptions & { readonly ifVersion?: Version | undefined },
  ): Promise<boolean>
  commit(
    operations: readonly StoreOperation[],
    options: AbortOptions & { readonly publish: readonly OutboxMessage[] },
  ): Promise<(Version | undefined)[]>
}

export interface ChangesOptions {
  readonly database: Database
  readonly statements: Statements
  readonly table: string
  readonly namespace: string
  readonly timeout: number
}

export function createChanges(options: ChangesOptions): Changes {
  const { database, namespace, statements, timeout } = options
  const nextId = createIds()

  return {
    async write(key, value, { ttl, metadata, ifVersion, ifAbsent, signal }) {
      if (ifVersion !== undefined && !isVersion(ifVersion)) throw conflict(key)
      const statement =
        ifVersion !== undefined
          ? statements.putIfVersion
          : ifAbsent === true
            ? statements.putIfAbsent
            : statements.put(1)
      // Copied, since the caller may go on using its buffer before it is sent.
      const bytes = Buffer.from(value)
      const text = fromMetadata(metadata)
      const ends = performance.now() + timeout
      for (;;) {
        const id = nextId()
        const values = [namespace, fromKey(key), bytes, text, id, ttl ?? null]
        if (ifVersion !== undefined) values.push(ifVersion)
        try {
          const limits = { signal, timeout: left(ends) }
          const { rowCount } = await database.query(statement, values, limits)
          if (rowCount > 0) return id
        } catch (error) {
          if (await tookPlace(options, { error, id, ends, signal })) return id
          continue
        }
        throw ifVersion === undefined ? alreadyThere(key) : conflict(key)
      }
    },

    async delete(key, { ifVersion, signal }) {
      if (ifVersion !== undefined && !isVersion(ifVersion)) throw conflict(key)
      const statement = ifVersion === undefined ? statements.delete : statements.deleteIfVersion
      const ends = performance.now() + timeout
      for (;;) {
        const id = nextId()
        const values = [namespace, fromKey(key), id]
        if (ifVersion !== undefined) values.push(ifVersion)
        try {
          const limits = { signal, timeout: left(ends) }
          const { rowCount } = await database.query(statement, values, limits)
          if (rowCount > 0) return true
        } catch (error) {
          if (await tookPlace(options, { error, id, ends, signal })) return true
          continue
        }
        if (ifVersion !== undefined) throw conflict(key)
        return false
      }
    },

    async commit(operations, { publish, signal }) {
      const copied = operations.map((operation) =>
        operation.type === 'write'
          ? { ...operation, value: Buffer.from(operation.value) }
          : operation,
      )
      const ends = performance.now() + timeout
      for (;;) {
        const ids = operations.map(nextId)
        // A write tells by itself that the batch took place.
        const first = operations.findIndex(({ type }) => type === 'write')
        const mark = ids[first] ?? nextId()
        const versions = operations.map(({ type }, at) => (type === 'write' ? ids[at] : undefined))
        const batch = { ...options, operations: copied, ids, mark, publish }
        try {
          await database.run(
            (session) => session.transaction('serializable', () => runBatch(session, batch)),
            { signal, timeout: left(ends) },
          )
          return versions
        } catch (error) {
          if (await tookPlace(options, { error, id: mark, ends, signal })) return versions
        }
      }
    },
  }
}
