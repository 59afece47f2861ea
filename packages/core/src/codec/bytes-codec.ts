import { staticComponent } from '../component/static-component.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { BoundCodec, Codec } from './codec.ts'

/** Bytes as they are, `application/octet-stream`. */
export function bytesCodec(): Codec {
  return {
    ...staticComponent('bytes', 'codec/0'),
    contentTypes: ['application/octet-stream'],
    bind: (type) => (type.descriptor === undefined ? bound : undefined),
  }
}

const bound: BoundCodec = {
  encode(value) {
    if (value instanceof Uint8Array) return value
    throw new MicroError(
      'invalid_argument',
      `application/octet-stream holds a Uint8Array, not a ${typeof value}`,
    )
  },
  // A copy: a small message should not hold the large buffer that it was read into. Not by `slice`,
  // which for a Buffer is no copy.
  decode: (bytes) => new Uint8Array(bytes),
}
