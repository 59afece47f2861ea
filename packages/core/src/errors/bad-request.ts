import type { ErrorDetail } from './micro-error.ts'

/** One field of a request that was refused, and why. */
export interface BadField {
  /** Path from the message's root: `items[2].price`; empty for the message itself. */
  readonly field: string
  readonly description: string
}

const type = 'google.rpc.BadRequest'
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/**
 * The standard detail for invalid input, readable by every gRPC and Connect client.
 *
 * Encoded by hand because core has no protobuf: `repeated FieldViolation field_violations = 1`,
 * each with `string field = 1; string description = 2`.
 * Source: google/rpc/error_details.proto.
 */
export function badRequest(fields: readonly BadField[]): ErrorDetail {
  const violations = fields.map(({ field, description }) =>
    record(1, concat([record(1, encoder.encode(field)), record(2, encoder.encode(description))])),
  )
  return { type, value: concat(violations), debug: { fieldViolations: fields } }
}

/** The fields of a bad-request detail; empty for any other detail or for malformed bytes. */
export function readBadRequest(detail: ErrorDetail): readonly BadField[] {
  if (detail.type !== type) return []
  return records(detail.value)
    .filter((entry) => entry.number === 1)
    .map((entry) => {
      const parts = records(entry.value)
      const text = (number: number): string =>
        decoder.decode(parts.find((part) => part.number === number)?.value)
      return { field: text(1), description: text(2) }
    })
}

/** A length-delimited field: tag, length, bytes. */
function record(number: number, value: Uint8Array): Uint8Array {
  return concat([Uint8Array.of((number << 3) | 2), varint(value.length), value])
}

function records(bytes: Uint8Array): { number: number; value: Uint8Array }[] {
  const found: { number: number; value: Uint8Array }[] = []
  let at = 0
  while (at < bytes.length) {
    const tag = bytes[at++] ?? 0
    let length = 0
    let shift = 0
    let byte: number
    do {
      byte = bytes[at++] ?? 0
      length += (byte & 0x7f) * 2 ** shift
      shift += 7
    } while (byte >= 0x80 && shift < 35)
    if ((tag & 7) !== 2 || at + length > bytes.length) return []
    found.push({ number: tag >> 3, value: bytes.subarray(at, at + length) })
    at += length
  }
  return found
}

function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  return Uint8Array.from([...bytes, rest])
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}
