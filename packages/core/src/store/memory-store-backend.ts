import { createEventFeed, type EventFeed } from '../component/event-feed.ts'
import { MicroError } from '../errors/micro-error.ts'
import { ExpiryQueue } from './expiry-queue.ts'
import { OrderedKeys } from './ordered-keys.ts'
import type { Condition, StoreEvent, StoreOperation, StoreRecord, Version } from './store.ts'
import { alreadyThere, conflict } from './store-rules.ts'

export interface MemoryStoreLimits {
  /** Bytes of one value. @default 16 MiB */
  readonly valueBytes?: number | undefined
  /** Records in all. @default 10000000 */
  readonly records?: number | undefined
}

const reset: StoreEvent = { type: 'reset' }

/** What stands in for a server: the records that several memory stores can share. */
export class MemoryStoreBackend {
  readonly #records = new Map<string, StoreRecord>()
  readonly #keys = new OrderedKeys()
  readonly #expiries = new ExpiryQueue((key, now) => this.#expire(key, now))
  readonly #feeds = new Map<EventFeed<StoreEvent>, string>()
  readonly #valueBytes: number
  readonly #limit: number
  #sequence = 0

  constructor(limits: MemoryStoreLimits = {}) {
    this.#valueBytes = limits.valueBytes ?? 16 * 2 ** 20
    this.#limit = limits.records ?? 10_000_000
  }

  get(key: string): StoreRecord | undefined {
    const record = this.#records.get(key)
    if (record?.expiresAt === undefined || record.expiresAt > Date.now()) return record
    // Its timer is late; nobody may see the record any more.
    this.#remove(key)
    return undefined
  }

  /** All of the operations or none. */
  apply(operations: readonly StoreOperation[]): (Version | undefined)[] {
    let added = 0
    for (const operation of operations) {
      const found = this.get(operation.key)
      requireCondition(operation.key, found, operation)
      if (operation.type !== 'write') continue
      if (found === undefined) added += 1
      if (operation.value.length > this.#valueBytes) {
        throw new MicroError(
          'resource_exhausted',
          `value: ${operation.value.length} bytes; this store takes at most ${this.#valueBytes} (limits.valueBytes)`,
        )
      }
    }
    if (this.#records.size + added > this.#limit) {
      throw new MicroError(
        'resource_exhausted',
        `this store keeps at most ${this.#limit} records (limits.records)`,
      )
    }
    return operations.map((operation) => {
      if (operation.type === 'write') return this.#write(operation)
      if (operation.type === 'delete') this.#remove(operation.key)
      return undefined
    })
  }

  /** Up to `limit` records behind `cursor`; the cursor itself too at the start of a listing. */
  page(prefix: string, cursor: string, beyond: boolean, limit: number): StoreRecord[] {
    const page: StoreRecord[] = []
    for (const key of this.#keys.range(cursor, beyond, limit)) {
      if (!key.startsWith(prefix)) break
      const record = this.#records.get(key)
      if (record !== undefined) page.push(record)
    }
    return page
  }

  watch(prefix: string, onClose: () => void): EventFeed<StoreEvent> {
    const feed = createEventFeed<StoreEvent>({
      keyOf: (event) => (event.type === 'put' ? event.record.key : 'key' in event ? event.key : ''),
      overflow: reset,
      onClose: () => {
        this.#feeds.delete(feed)
        onClose()
      },
    })
    this.#feeds.set(feed, prefix)
    return feed
  }

  unwatch(feed: EventFeed<StoreEvent>): void {
    this.#feeds.delete(feed)
    feed.end()
  }

  #write(operation: StoreOperation & { type: 'write' }): Version {
    const { key, ttl } = operation
    const record: StoreRecord = {
      key,
      // Copied, since the caller may go on using its buffer; `slice` of a Node `Buffer` copies nothing.
      value: new Uint8Array(operation.value),
      version: String(++this.#sequence),
      metadata: { ...operation.metadata },
      expiresAt: ttl === undefined ? undefined : Date.now() + ttl,
    }
    if (!this.#records.has(key)) this.#keys.add(key)
    this.#records.set(key, record)
    if (record.expiresAt !== undefined) this.#expiries.add(key, record.expiresAt)
    this.#tell(key, () => ({ type: 'put', record: copyOf(record) }))
    return record.version
  }

  #remove(key: string): void {
    if (!this.#records.delete(key)) return
    this.#keys.delete(key)
    this.#tell(key, () => ({ type: 'delete', key }))
  }

  #expire(key: string, now: number): void {
    const expiresAt = this.#records.get(key)?.expiresAt
    if (expiresAt !== undefined && expiresAt <= now) this.#remove(key)
  }

  #tell(key: string, makeEvent: () => StoreEvent): void {
    for (const [feed, prefix] of this.#feeds) if (key.startsWith(prefix)) feed.push(makeEvent())
  }
}

/** What readers do with a record must not change it. */
export function copyOf(record: StoreRecord): StoreRecord {
  return { ...record, value: record.value.slice(), metadata: { ...record.metadata } }
}

function requireCondition(key: string, found: StoreRecord | undefined, condition: Condition): void {
  if (condition.ifAbsent === true && found !== undefined) throw alreadyThere(key)
  if (condition.ifVersion !== undefined && condition.ifVersion !== found?.version) {
    throw conflict(key)
  }
}
