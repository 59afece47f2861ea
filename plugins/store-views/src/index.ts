/**
 * Stores over stores: a cache of what is read, and encryption. A namespace is `namespacedStore` of
 * `@micro/core/store`.
 *
 * ```ts
 * import { cachedStore, encryptedStore } from '@micro/plugin-store-views'
 *
 * const store = cachedStore({ store: encryptedStore({ store: below, keys: [{ id: '2026-01', key }] }) })
 * ```
 *
 * @packageDocumentation
 */
export { cachedStore } from './cached-store.ts'
export { encryptedStore } from './encrypted-store.ts'
export type { CachedStoreOptions, EncryptedStoreOptions, EncryptionKey } from './options.ts'
export { type ReencryptOptions, reencrypt } from './reencrypt.ts'
