/**
 * Service discovery across the processes of one machine: a shared directory, no daemon.
 *
 * ```ts
 * const service = createService({ name: 'greeter', registry: fileRegistry() })
 * ```
 *
 * @packageDocumentation
 */
export { fileRegistry } from './file-registry.ts'
export type { FileRegistryOptions } from './options.ts'
