/**
 * Config from a URL: JSON, YAML or TOML, asked for again and again, at little cost where the server knows
 * ETags.
 *
 * @example createConfig({ schema, sources: [httpSource({ url: 'https://config.example/shop.yaml' })] })
 * @packageDocumentation
 */
export { httpSource } from './http-source.ts'
export type { HttpSourceOptions } from './options.ts'
