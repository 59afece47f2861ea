import { protocolError } from '../errors.ts'

/** Puts the parts of a message together again. */
export class PartialMessage {
  readonly limit: number
  #parts: Buffer[] = []
  #size = 0

  constructor(limit: number) {
    this.limit = limit
  }

  /** The message, once its last part has come. @throws `internal` for parts that say nothing. */
  push(part: Buffer, more: boolean): Buffer | undefined | 'too large' {
    this.#size += part.length
    if (this.#size > this.limit) {
      this.#parts = []
      return 'too large'
    }
    if (!more && this.#parts.length === 0) {
      this.#size = 0
      return part
    }
    if (more && part.length === 0) throw protocolError('an empty part of a message')
    this.#parts.push(part)
    if (more) return undefined
    const message = Buffer.concat(this.#parts, this.#size)
    this.#parts = []
    this.#size = 0
    return message
  }
}
