/**
 * Locks and leadership between the processes of one machine, with fencing tokens: a file, no daemon.
 *
 * ```ts
 * import { fileSync } from '@micro/plugin-sync-file'
 *
 * const sync = fileSync({ directory: 'data' })
 * await using lock = await sync.lock('nightly-report')
 * ```
 *
 * @packageDocumentation
 */
export { fileSync } from './file-sync.ts'
export type { FileSyncOptions } from './options.ts'
