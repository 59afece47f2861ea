/**
 * MessagePack messages.
 *
 * ```ts
 * const service = createService({ name: 'greeter', codecs: [msgpackCodec()] })
 * ```
 *
 * @packageDocumentation
 */
export { msgpackCodec } from './msgpack-codec.ts'
export type { MsgpackCodecOptions } from './options.ts'
