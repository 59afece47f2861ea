import { staticComponent } from '../component/static-component.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { BoundCodec, Codec } from './codec.ts'
import { decodeText, encodeText } from './utf8.ts'

/** Strings as UTF-8, `text/plain`. */
export function textCodec(): Codec {
  return {
    ...staticComponent('text', 'codec/0'),
    contentTypes: ['text/plain'],
    bind: (type) => (type.descriptor === undefined ? bound : undefined),
  }
}

const bound: BoundCodec = {
  encode(value) {
    if (typeof value !== 'string') {
      throw new MicroError('invalid_argument', `text/plain holds a string, not a ${typeof value}`)
    }
    // UTF-8 has no halves: they would arrive as something else.
    if (value.isWellFormed()) return encodeText(value)
    throw new MicroError('invalid_argument', 'text/plain: the text has half of a surrogate pair')
  },
  decode: (bytes) => decodeText(bytes, 'text'),
}
