import type { BoundCodec } from './codec.ts'

/**
 * In process the "bytes" are the message itself. This is the one place where that is hidden from
 * the types, so that the pipeline is the same for every transport.
 */
export const referenceCodec: BoundCodec = {
  encode: (value) => value as Uint8Array,
  decode: (body) => body,
}
