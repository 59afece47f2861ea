import type { StoreRecord, Version } from '@micro/core/store'
import { bytesOf } from '@micro/sql-client'

export type Column = string | null | undefined

/** A record of the columns value, metadata, version and expiry. */
export function toRecord(key: string, columns: readonly Column[]): StoreRecord {
  const [value, metadata, version, expiry] = columns
  return {
    key,
    value: bytesOf(value),
    version: version as Version,
    metadata: metadata == null ? {} : (JSON.parse(metadata) as Record<string, string>),
    expiresAt: expiry == null ? undefined : Number(expiry),
  }
}

/** A record of the columns key, value, metadata, version and expiry. */
export function toKeyedRecord([key, ...columns]: readonly Column[]): StoreRecord {
  return toRecord(toKey(key), columns)
}

export function toKey(column: Column): string {
  return bytesOf(column).toString()
}

/** Keys are kept as bytes, so that every server and every locale orders them alike. */
export function fromKey(key: string): Buffer {
  return Buffer.from(key)
}

export function fromMetadata(
  metadata: Readonly<Record<string, string>> | undefined,
): string | null {
  if (metadata === undefined) return null
  const text = JSON.stringify(metadata)
  return text === '{}' ? null : text
}

/** The first bytes behind all keys that begin with `prefix`; `undefined` where there are none. */
export function behind(prefix: string): Buffer | undefined {
  const bytes = fromKey(prefix)
  const last = bytes.length - 1
  if (last < 0) return undefined
  // Never 255, which UTF-8 does not have.
  bytes[last] = (bytes[last] ?? 0) + 1
  return bytes
}
