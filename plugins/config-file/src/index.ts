/**
 * Config from JSON, YAML and TOML files, and directories of them, reloaded when they change.
 *
 * @example createConfig({ schema, sources: [fileSource({ path: 'config.yaml' })] })
 * @packageDocumentation
 */
export { fileSource } from './file-source.ts'
export type { FileSourceOptions } from './options.ts'
