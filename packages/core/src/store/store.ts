import type { AbortOptions, Component } from '../component/component.ts'
import type { Watcher } from '../component/event-feed.ts'

/** Opaque, compared for equality only. A key never has the same version twice, not even anew. */
export type Version = string

export interface StoreRecord {
  readonly key: string
  /** Exactly the bytes that were written; empty where only keys were asked for. */
  readonly value: Uint8Array
  readonly version: Version
  readonly metadata: Readonly<Record<string, string>>
  /** Milliseconds since 1970 at which the record goes; `undefined` if it stays. */
  readonly expiresAt: number | undefined
}

/** What must hold for a change to be made. At most one of the two. */
export interface Condition {
  /** The record is there in this version; else `aborted`. */
  readonly ifVersion?: Version | undefined
  /** No record is there; else `already_exists`. */
  readonly ifAbsent?: boolean | undefined
}

export interface WriteFields {
  /** Milliseconds until the record goes by itself, at least 1. A write without it makes it stay. */
  readonly ttl?: number | undefined
  /** At most 4 KiB of names and values. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
}

export interface WriteOptions extends AbortOptions, Condition, WriteFields {}

export interface DeleteOptions extends AbortOptions {
  readonly ifVersion?: Version | undefined
}

export interface StoreListOptions extends AbortOptions {
  /** Only keys that begin with it. @default '' */
  readonly prefix?: string | undefined
  /** At most this many. @default no limit */
  readonly limit?: number | undefined
  /** Only keys behind this one: the cursor, which need not be a key that exists. */
  readonly after?: string | undefined
  /** Leaves the values away. @default false */
  readonly keysOnly?: boolean | undefined
}

export type StoreOperation =
  | ({ readonly type: 'write'; readonly key: string; readonly value: Uint8Array } & Condition &
      WriteFields)
  | { readonly type: 'delete'; readonly key: string; readonly ifVersion?: Version | undefined }
  /** Changes nothing; the whole batch fails unless it holds. */
  | ({ readonly type: 'check'; readonly key: string } & Condition)

/**
 * `put` tells a new or changed record, `delete` one deleted or lapsed. `reset` says that changes may
 * have been missed: list again.
 */
export type StoreEvent =
  | { readonly type: 'put'; readonly record: StoreRecord }
  | { readonly type: 'delete'; readonly key: string }
  | { readonly type: 'reset' }

/** Where backends truly differ. */
export interface StoreSupports {
  /** Records outlive the process. */
  readonly durable: boolean
  /** `commit` is there. */
  readonly commit: boolean
  /** `watch` is there. */
  readonly watch: boolean
}

/**
 * Records by key. Keys are well-formed Unicode without U+0000, 1 to 1024 bytes in UTF-8, ordered
 * as their UTF-8 bytes are. How memory and real backends implement each member is written in the README
 * beside this file.
 *
 * Every method may also fail with `unavailable`; `invalid_argument` names the field that is wrong,
 * `resource_exhausted` the limit that was reached.
 */
export interface Store extends Component {
  readonly contract: 'store/0'
  readonly supports: StoreSupports
  /** The record, or `undefined`: a missing key is no error. */
  read(key: string, options?: AbortOptions): Promise<StoreRecord | undefined>
  /** Creates or replaces. @throws `aborted`, `already_exists` where the condition does not hold. */
  write(key: string, value: Uint8Array, options?: WriteOptions): Promise<Version>
  /** Whether there was a record. @throws `aborted` where `ifVersion` does not hold. */
  delete(key: string, options?: DeleteOptions): Promise<boolean>
  /** In order of keys; lazily, each record as it is when it is read. `break` stops reading. */
  list(options?: StoreListOptions): AsyncIterable<StoreRecord>
  /**
   * All of the operations or none, on 1 to 100 different keys. The new version for each write,
   * `undefined` for the others.
   *
   * @throws `aborted`, `already_exists` naming the key whose condition does not hold.
   */
  commit?(
    operations: readonly StoreOperation[],
    options?: AbortOptions,
  ): Promise<readonly (Version | undefined)[]>
  /**
   * Resolves once changes from now on will be seen; to know all, watch first and list then. Changes
   * of one key may be merged, its last state is never lost. Outages do not end a watch: it goes on
   * after them, with a `reset` where something may have been missed. The iteration ends when the
   * watcher or the store is closed.
   */
  watch?(prefix: string, options?: AbortOptions): Promise<Watcher<StoreEvent>>
}
