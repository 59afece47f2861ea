/**
 * Config from command-line flags, with `--help` written from the schema.
 *
 * @example createConfig({ schema, sources: [flagSource({ schema })] })
 * @packageDocumentation
 */
export { flagHelp } from './flag-help.ts'
export { flagSource } from './flag-source.ts'
export type { FlagHelpOptions, FlagSourceOptions } from './options.ts'
