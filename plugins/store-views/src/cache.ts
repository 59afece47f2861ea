import type { StoreRecord } from '@micro/core/store'

/** What is known of one key; `record` is `undefined` where it is known to be absent. */
export interface Entry {
  readonly record: StoreRecord | undefined
  /** On the clock of `performance.now()`. */
  readonly until: number
  readonly bytes: number
}

/** Entries by key, bounded; the ones that were not used for longest go first. */
export class Cache {
  // In the order of their last use.
  readonly #entries = new Map<string, Entry>()
  readonly #maxEntries: number
  readonly #maxBytes: number
  #bytes = 0

  constructor(maxEntries: number, maxBytes: number) {
    this.#maxEntries = maxEntries
    this.#maxBytes = maxBytes
  }

  get size(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#bytes
  }

  get(key: string): Entry | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    const { record, until } = entry
    const lapsed = record?.expiresAt !== undefined && record.expiresAt <= Date.now()
    if (lapsed || until <= performance.now()) {
      this.delete(key)
      return undefined
    }
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry
  }

  set(key: string, record: StoreRecord | undefined, ttl: number): void {
    this.delete(key)
    const bytes = sizeOf(key, record)
    // One that would push out most of the others is not worth it.
    if (bytes > this.#maxBytes / 4) return
    this.#entries.set(key, { record, until: performance.now() + ttl, bytes })
    this.#bytes += bytes
    for (const [oldest] of this.#entries) {
      if (this.#entries.size <= this.#maxEntries && this.#bytes <= this.#maxBytes) return
      this.delete(oldest)
    }
  }

  delete(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#bytes -= entry.bytes
  }

  clear(): void {
    this.#entries.clear()
    this.#bytes = 0
  }
}

/** Of the entry itself, roughly. */
const overhead = 200

function sizeOf(key: string, record: StoreRecord | undefined): number {
  let size = overhead + key.length * 2
  if (record === undefined) return size
  size += record.value.length
  for (const [name, text] of Object.entries(record.metadata))
    size += 2 * (name.length + text.length)
  return size
}
