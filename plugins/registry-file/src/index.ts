/**
 * Service discovery across the processes of one machine: a shared directory, no daemon.
 *
 * ```ts
 * import { createService } from '@micro/core'
 * import { fileRegistry } from '@micro/plugin-registry-file'
 *
 * const service = createService({ name: 'greeter', registry: fileRegistry() })
 * ```
 *
 * @packageDocumentation
 */
export { fileRegistry } from './file-registry.ts'
export type { FileRegistryOptions } from './options.ts'
