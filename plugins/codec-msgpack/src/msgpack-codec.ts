import { type BoundCodec, type Codec, checkPlainData, type PlainDataRules } from '@micro/core/codec'
import { staticComponent } from '@micro/core/component'
import { Packr, RESET_BUFFER_MODE, Unpackr } from 'msgpackr'
import { unreadable } from './errors.ts'
import { type MsgpackCodecOptions, settle } from './options.ts'
import { scan } from './scan.ts'

/**
 * MessagePack, without extensions other than its timestamp: any implementation reads it. `undefined`
 * is the empty body, so that a method without input needs none.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function msgpackCodec(options: MsgpackCodecOptions = {}): Codec {
  const { maxDepth } = settle(options)
  const bound = bindPlain(maxDepth)
  return {
    ...staticComponent('msgpack', 'codec/0'),
    contentTypes: ['application/msgpack', 'application/vnd.msgpack', 'application/x-msgpack'],
    // A type of another world has an encoding of its own, which only that world's codec knows.
    bind: (type) => (type.descriptor === undefined ? bound : undefined),
  }
}

/** `skipValues` is not among the declared options. */
const writing = {
  useRecords: false,
  variableMapSize: true,
  skipValues: [undefined],
  useToJSON: false,
}
// "auto" is not among the declared options either: a bigint beyond 2^53 only.
const reading: object = {
  useRecords: false,
  mapsAsObjects: true,
  copyBuffers: true,
  structuredClone: false,
  int64AsType: 'auto',
}

const empty = new Uint8Array(0)
const int64 = { least: -(2n ** 63n), most: 2n ** 64n - 1n }
/** The library keeps its buffer at the size of the largest message; above this it is given up. */
const keptBuffer = 1_048_576

function bindPlain(maxDepth: number): BoundCodec {
  const packr = new Packr(writing)
  const unpackr = new Unpackr(reading)
  const rules: PlainDataRules = { format: 'MessagePack', maxDepth, holds, refuseText }
  return {
    encode(value) {
      if (value === undefined) return empty
      checkPlainData(value, rules)
      // It writes into a buffer that all messages share: what leaves is a copy of the right size.
      const packed = new Uint8Array(packr.pack(value, RESET_BUFFER_MODE))
      if (packed.length > keptBuffer) packr.useBuffer(Buffer.allocUnsafeSlow(8_192))
      return packed
    },
    decode(bytes) {
      if (bytes.length === 0) return undefined
      // A view of our own: parts of a Buffer would be Buffers, and the library leaves a property.
      const view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      scan(view, maxDepth)
      try {
        return unpackr.unpack(view)
      } catch (cause) {
        throw unreadable(cause)
      }
    },
  }
}

function holds(value: unknown): boolean | string {
  if (value instanceof Uint8Array) return true
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : true
  if (typeof value !== 'bigint') return false
  return (value >= int64.least && value <= int64.most) || 'a bigint of more than 64 bits'
}

function refuseText(text: string): string | undefined {
  // The library takes the mark from texts of more than 64 bytes.
  if (text.charCodeAt(0) !== 0xfeff || text.length <= 20) return undefined
  return Buffer.byteLength(text) > 64
    ? 'a text of more than 64 bytes that begins with a byte-order mark'
    : undefined
}
