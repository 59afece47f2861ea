/**
 * As much of protobuf's binary format as the messages of gRPC itself need: varints, bytes and text.
 *
 * Source: protobuf.dev/programming-guides/encoding.
 */

/** One field as it stands in a message. Fixed-width ones are passed over. */
export interface Field {
  readonly number: number
  /** Of a varint; 0 for bytes. */
  readonly value: number
  /** Of a length-delimited field; empty for a varint. */
  readonly bytes: Buffer
}

const none: Buffer = Buffer.alloc(0)

/** The fields in their order; `undefined` for bytes that are no message. */
export function readFields(message: Uint8Array): Field[] | undefined {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength)
  const fields: Field[] = []
  let at = 0
  let broken = false
  const varint = (): number => {
    let value = 0
    let factor = 1
    for (let count = 0; count < 10; count++) {
      const byte = bytes[at]
      if (byte === undefined) break
      at += 1
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
      factor *= 0x80
    }
    broken = true
    return 0
  }
  while (at < bytes.length) {
    const tag = varint()
    const number = Math.floor(tag / 8)
    switch (tag % 8) {
      case 0:
        fields.push({ number, value: varint(), bytes: none })
        break
      case 1:
        at += 8
        break
      case 2: {
        const length = varint()
        fields.push({ number, value: 0, bytes: bytes.subarray(at, at + length) })
        at += length
        break
      }
      case 5:
        at += 4
        break
      default:
        broken = true
    }
    if (broken || number === 0 || at > bytes.length) return undefined
  }
  return fields
}

/** A field that holds a number, text, bytes or a message. Zero and the empty are written, too. */
export function writeField(number: number, value: number | string | Uint8Array): Buffer {
  if (typeof value === 'number') return Buffer.concat([varintOf(number * 8), varintOf(value)])
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  return Buffer.concat([varintOf(number * 8 + 2), varintOf(bytes.length), bytes])
}

function varintOf(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  return Buffer.from([...bytes, rest])
}
