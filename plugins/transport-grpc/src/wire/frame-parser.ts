import { MicroError } from '@micro/core/errors'
import { tooLarge } from '../errors.ts'

/** A message as it stands on the wire. */
export interface Envelope {
  readonly compressed: boolean
  readonly data: Buffer
}

/** Bytes before each message: a flag and the length. Source: grpc/grpc, doc/PROTOCOL-HTTP2.md. */
const headLength = 5

export function writeFrame(message: Uint8Array, compressed: boolean): Buffer {
  const frame = Buffer.allocUnsafe(headLength + message.length)
  frame[0] = compressed ? 1 : 0
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, headLength)
  return frame
}

/** Takes messages out of the bytes of a stream as they come. */
export class FrameParser {
  readonly #limit: number
  readonly #what: 'request' | 'response'
  #chunks: Buffer[] = []
  #size = 0
  /** Bytes that the next step needs. */
  #needed: number = headLength
  /** Of the message whose bytes are awaited. */
  #compressed: boolean | undefined

  constructor(limit: number, what: 'request' | 'response') {
    this.#limit = limit
    this.#what = what
  }

  /** Bytes held for a message that is not whole yet. */
  get held(): number {
    return this.#size
  }

  /** The messages that are whole now. @throws for one that is too large, or none at all. */
  push(chunk: Buffer): Envelope[] {
    const found: Envelope[] = []
    this.#chunks.push(chunk)
    this.#size += chunk.length
    while (this.#size >= this.#needed) {
      const bytes = this.#take(this.#needed)
      if (this.#compressed === undefined) this.#begin(bytes)
      else {
        found.push({ compressed: this.#compressed, data: bytes })
        this.#compressed = undefined
        this.#needed = headLength
      }
    }
    return found
  }

  /** @throws if the bytes ended within a message. */
  end(): void {
    if (this.#size === 0 && this.#compressed === undefined) return
    throw this.#malformed('ended in the middle of a message')
  }

  #begin(head: Buffer): void {
    const flag = head[0] as number
    const length = head.readUInt32BE(1)
    if (flag > 1) throw this.#malformed(`has a message with the unknown flag ${flag}`)
    if (length > this.#limit) throw tooLarge(this.#what, this.#limit)
    this.#compressed = flag === 1
    this.#needed = length
  }

  #malformed(why: string): MicroError {
    const code = this.#what === 'request' ? 'invalid_argument' : 'internal'
    return new MicroError(code, `the ${this.#what} ${why}`)
  }

  /** The next bytes; there are as many. */
  #take(length: number): Buffer {
    const first = this.#chunks[0]
    const enough = first !== undefined && first.length >= length
    const bytes = enough ? first : Buffer.concat(this.#chunks, this.#size)
    if (enough) this.#chunks.shift()
    else this.#chunks = []
    this.#size -= length
    if (bytes.length === length) return bytes
    this.#chunks.unshift(bytes.subarray(length))
    return bytes.subarray(0, length)
  }
}
