import { MicroError } from '@micro/core/errors'
import { tooLarge } from './errors.ts'

export const compressedFlag = 0x01
export const endFlag = 0x02

const headerSize = 5
const empty = Buffer.alloc(0)

export interface Envelope {
  readonly flags: number
  readonly data: Buffer
}

/** One flag byte, the length as 32 bits big-endian, the data. */
export function writeEnvelope(flags: number, data: Uint8Array): Buffer {
  const envelope = Buffer.allocUnsafe(headerSize + data.length)
  envelope[0] = flags
  envelope.writeUInt32BE(data.length, 1)
  envelope.set(data, headerSize)
  return envelope
}

/** Cuts a stream of bytes into envelopes, however they are split. Holds at most one of them. */
export interface EnvelopeParser {
  /** @throws `resource_exhausted` for one above the limit, at its header, before its data is kept. */
  push(chunk: Buffer): Envelope[]
  /** @throws `invalid_argument` if the last envelope is cut off. */
  end(): void
}

export function createEnvelopeParser(limit: number, side: string): EnvelopeParser {
  let chunks: Buffer[] = []
  let held = 0
  let needed = headerSize
  let header: { flags: number; size: number } | undefined

  const take = (size: number): Buffer => {
    if (size === 0) return empty
    const joined = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, held)
    const taken = joined.subarray(0, size)
    const rest = joined.subarray(size)
    chunks = rest.length === 0 ? [] : [rest]
    held = rest.length
    return taken
  }

  return {
    push(chunk) {
      const found: Envelope[] = []
      if (chunk.length > 0) chunks.push(chunk)
      held += chunk.length
      while (held >= needed) {
        const taken = take(needed)
        if (header !== undefined) {
          found.push({ flags: header.flags, data: taken })
          header = undefined
          needed = headerSize
          continue
        }
        const size = taken.readUInt32BE(1)
        if (size > limit) throw tooLarge(limit, side)
        header = { flags: taken[0] as number, size }
        needed = size
      }
      return found
    },
    end() {
      if (held === 0 && header === undefined) return
      throw new MicroError('invalid_argument', `the ${side} ends in the middle of a message`)
    },
  }
}
