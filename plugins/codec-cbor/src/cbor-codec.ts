import { type BoundCodec, type Codec, checkPlainData, type PlainDataRules } from '@micro/core/codec'
import { staticComponent } from '@micro/core/component'
import { Decoder, Encoder } from 'cbor-x'
import { unreadable } from './errors.ts'
import { type CborCodecOptions, settle } from './options.ts'
import { maxBignum, scan } from './scan.ts'

/**
 * CBOR (RFC 8949), without tags other than those of dates and big integers: any implementation reads
 * it. `undefined` is the empty body, so that a method without input needs none.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function cborCodec(options: CborCodecOptions = {}): Codec {
  const { maxDepth } = settle(options)
  const bound = bindPlain(maxDepth)
  return {
    ...staticComponent('cbor', 'codec/0'),
    contentTypes: ['application/cbor'],
    // A type of another world has an encoding of its own, which only that world's codec knows.
    bind: (type) => (type.descriptor === undefined ? bound : undefined),
  }
}

/** `useBuffer` is documented by the library, and not declared. */
interface BufferedEncoder extends Encoder {
  useBuffer(buffer: Uint8Array): void
}

const empty = new Uint8Array(0)
/** The library keeps its buffer at the size of the largest message; above this it is given up. */
const keptBuffer = 1_048_576

function bindPlain(maxDepth: number): BoundCodec {
  const encoder = new Encoder({
    useRecords: false,
    variableMapSize: true,
    tagUint8Array: false,
  }) as BufferedEncoder
  const decoder = new Decoder({ useRecords: false, mapsAsObjects: true, copyBuffers: true })
  const rules: PlainDataRules = { format: 'CBOR', maxDepth, holds, refuseText }
  return {
    encode(value) {
      if (value === undefined) return empty
      checkPlainData(value, rules)
      // It writes into a buffer that all messages share: what leaves is a copy of the right size.
      const encoded = new Uint8Array(encoder.encode(value))
      if (encoded.length > keptBuffer) encoder.useBuffer(Buffer.allocUnsafeSlow(8_192))
      return encoded
    },
    decode(bytes) {
      if (bytes.length === 0) return undefined
      // A view of our own: parts of a Buffer would be Buffers, and the library leaves a property.
      const view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      const readable = scan(view, maxDepth)
      try {
        return decoder.decode(readable)
      } catch (cause) {
        throw unreadable(cause)
      }
    },
  }
}

function holds(value: unknown): boolean | string {
  if (value instanceof Uint8Array || value === undefined) return true
  if (value instanceof Date) return holdsTime(value.getTime())
  if (typeof value !== 'bigint') return false
  const most = 1n << BigInt(8 * maxBignum)
  return (value < most && value >= -most) || `a bigint of more than ${maxBignum} bytes`
}

function holdsTime(time: number): true | string {
  if (Number.isNaN(time)) return 'an invalid Date'
  // It is written as seconds, in a float that has too few digits for some far away.
  return Math.round((time / 1_000) * 1_000) === time || 'a Date too far away for its milliseconds'
}

function refuseText(text: string): string | undefined {
  // The library takes the mark from texts of more than 64 bytes.
  if (text.charCodeAt(0) !== 0xfeff || text.length <= 20) return undefined
  return Buffer.byteLength(text) > 64
    ? 'a text of more than 64 bytes that begins with a byte-order mark'
    : undefined
}
