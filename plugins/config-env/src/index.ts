/**
 * Config from environment variables, `.env` files and mounted secrets.
 *
 * @example createConfig({ schema, sources: [envSource({ prefix: 'APP_', schema })] })
 * @packageDocumentation
 */
export { envSource } from './env-source.ts'
export type { EnvSourceOptions } from './options.ts'
