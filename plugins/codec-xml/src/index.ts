/**
 * XML messages.
 *
 * ```ts
 * const service = createService({ name: 'greeter', codecs: [xmlCodec()] })
 * ```
 *
 * @packageDocumentation
 */

export type { XmlCodecOptions } from './options.ts'
export { xmlCodec } from './xml-codec.ts'
