/** The framing of the README's specification: its numbers, and nothing else. */

export const version = 1
/** `MTCP`. */
export const magic = 0x4d544350

/** Bytes before each payload: length, type, flags, id. */
export const headerSize = 10
/** Bytes of a payload, at most. Longer messages come in parts, so that others can pass them. */
export const maxPayload: number = 64 * 1024

export const frameType = {
  hello: 1,
  method: 2,
  request: 3,
  data: 4,
  end: 5,
  reply: 6,
  open: 7,
  error: 8,
  credit: 9,
  cancel: 10,
  stop: 11,
  ping: 12,
  pong: 13,
  goAway: 14,
} as const

/** Of request, reply and data: the message goes on in the next data frame of the same id. */
export const moreFlag = 1

/** In the place of milliseconds: no deadline. */
export const noTimeout = 0xffff_ffff
export const maxId = 0xffff_ffff

/** What a message of a stream costs beyond its bytes, so that empty ones are not free. */
export const messageCost = 64

export function writeHeader(
  buffer: Buffer,
  at: number,
  type: number,
  flags: number,
  id: number,
  length: number,
): void {
  buffer.writeUInt32BE(length, at)
  buffer[at + 4] = type
  buffer[at + 5] = flags
  buffer.writeUInt32BE(id, at + 6)
}
