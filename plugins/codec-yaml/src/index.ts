/**
 * YAML messages.
 *
 * ```ts
 * const service = createService({ name: 'greeter', codecs: [yamlCodec()] })
 * ```
 *
 * @packageDocumentation
 */

export type { YamlCodecOptions } from './options.ts'
export { yamlCodec } from './yaml-codec.ts'
