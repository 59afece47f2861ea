import { MicroError } from '@micro/core/errors'
import type { Store } from '@micro/core/store'

export interface CachedStoreOptions {
  /** The store below. It stays its owner's: closing this one does not close it. */
  readonly store: Store
  /** Records that are kept, those that are known to be absent included. @default 10000 */
  readonly maxEntries?: number
  /** Bytes of them. A record larger than a quarter of it is not kept. @default 67108864 */
  readonly maxBytes?: number
  /** Milliseconds after which a record is read anew, whatever was told of it. @default 10000 */
  readonly ttl?: number
  /**
   * Follow the changes of the store below, where it can tell of them. It tells of all keys: without, it
   * is quiet, and what others write is seen once the ttl is over. @default true
   */
  readonly watch?: boolean
}

export interface CacheSettings {
  readonly store: Store
  readonly maxEntries: number
  readonly maxBytes: number
  readonly ttl: number
  readonly watch: boolean
}

export interface EncryptionKey {
  /** Stands in each record, in the clear. 1 to 64 letters, digits, `_`, `.` and `-`. */
  readonly id: string
  /** 32 bytes of a good source, such as `randomBytes(32)`. */
  readonly key: Uint8Array
}

export interface EncryptedStoreOptions {
  /** The store below. It stays its owner's: closing this one does not close it. */
  readonly store: Store
  /** The first one encrypts; all of them decrypt. */
  readonly keys: readonly EncryptionKey[]
}

/** @throws `invalid_argument`, naming the option. */
export function settleCache(options: CachedStoreOptions): CacheSettings {
  const factory = 'cachedStore'
  requireKnown(factory, options, ['store', 'maxEntries', 'maxBytes', 'ttl', 'watch'])
  requireStore(factory, options.store)
  const { store, maxEntries = 10_000, maxBytes = 67_108_864, ttl = 10_000, watch = true } = options
  const within = (name: string, value: unknown, least: number, most: number): void => {
    if (typeof value === 'number' && value >= least && value <= most) return
    refuse(factory, name, `is ${String(value)}; give a number from ${least} to ${most}`)
  }
  within('maxEntries', maxEntries, 1, 1e9)
  within('maxBytes', maxBytes, 1, Number.MAX_SAFE_INTEGER)
  within('ttl', ttl, 1, 86_400_000)
  if (typeof watch !== 'boolean')
    refuse(factory, 'watch', `is ${String(watch)}; give true or false`)
  return { store, maxEntries, maxBytes, ttl, watch }
}

/** @throws `invalid_argument`, naming the option, never a key. */
export function settleEncryption(options: EncryptedStoreOptions): EncryptedStoreOptions {
  const factory = 'encryptedStore'
  requireKnown(factory, options, ['store', 'keys'])
  requireStore(factory, options.store)
  const { keys } = options
  if (!Array.isArray(keys) || keys.length === 0) {
    refuse(factory, 'keys', 'is empty; give at least one of { id, key }')
  }
  const ids = new Set<string>()
  for (const [at, one] of options.keys.entries()) {
    const { id, key } = one
    if (typeof id !== 'string' || !/^[A-Za-z0-9_.-]{1,64}$/.test(id)) {
      refuse(factory, `keys[${at}].id`, 'is not 1 to 64 letters, digits, "_", "." and "-"')
    }
    if (ids.has(id)) refuse(factory, `keys[${at}].id`, `is ${id} for the second time`)
    ids.add(id)
    if (!(key instanceof Uint8Array) || key.length !== 32) {
      refuse(factory, `keys[${at}].key`, 'is not a Uint8Array of 32 bytes')
    }
  }
  return options
}

function requireKnown(factory: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) refuse(factory, name, `is unknown; known are ${known.join(', ')}`)
  }
}

function requireStore(factory: string, store: unknown): void {
  if ((store as Store | undefined)?.contract === 'store/0') return
  refuse(factory, 'store', 'is no store of the contract store/0')
}

function refuse(factory: string, name: string, why: string): never {
  throw new MicroError('invalid_argument', `${factory} option ${name} ${why}`)
}
