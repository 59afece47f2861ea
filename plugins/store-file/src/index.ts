/**
 * Durable records in a file, for several processes of one machine.
 *
 * ```ts
 * import { fileStore } from '@micro/plugin-store-file'
 *
 * await using store = fileStore({ directory: 'data' })
 * await store.write('greeting', new TextEncoder().encode('Hello'), { ttl: 60_000 })
 * ```
 *
 * @packageDocumentation
 */
export { fileStore } from './file-store.ts'
export type { FileStoreOptions } from './options.ts'
