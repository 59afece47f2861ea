/**
 * CBOR messages.
 *
 * ```ts
 * const service = createService({ name: 'greeter', codecs: [cborCodec()] })
 * ```
 *
 * @packageDocumentation
 */
export { cborCodec } from './cbor-codec.ts'
export type { CborCodecOptions } from './options.ts'
