import { protocolError } from '../errors.ts'
import { headerSize, maxPayload } from './frame.ts'

/** Told of each frame; the payload is what lies between `start` and `end` of `bytes`. */
export type OnFrame = (
  type: number,
  flags: number,
  id: number,
  bytes: Buffer,
  start: number,
  end: number,
) => void

/** Cuts what a socket reads into frames. Holds one frame at most. */
export class FrameParser {
  readonly #onFrame: OnFrame
  /** The frame that lacks bytes: first its header, then all of it. */
  #partial: Buffer | undefined
  #filled = 0
  /** Set while frames are to wait; `push` goes on with them once it is cleared. */
  paused = false
  #unread: Buffer | undefined
  readonly #header: Buffer = Buffer.allocUnsafe(headerSize)

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame
  }

  /** Whether bytes of an unfinished frame are held. */
  get midFrame(): boolean {
    return this.#filled > 0
  }

  /** @throws what `onFrame` throws, and `internal` for a frame that is too long. */
  push(read: Buffer): void {
    const chunk = this.#unread === undefined ? read : Buffer.concat([this.#unread, read])
    this.#unread = undefined
    let at = this.#filled > 0 && !this.paused ? this.#complete(chunk) : 0
    const { length } = chunk
    while (length - at >= headerSize) {
      if (this.paused) break
      const size = payloadSize(chunk, at)
      const start = at + headerSize
      const end = start + size
      if (end > length) break
      this.#onFrame(
        chunk[at + 4] as number,
        chunk[at + 5] as number,
        chunk.readUInt32BE(at + 6),
        chunk,
        start,
        end,
      )
      at = end
    }
    if (at === length) return
    if (this.paused) this.#unread = chunk.subarray(at)
    else this.#hold(chunk, at)
  }

  #hold(chunk: Buffer, at: number): void {
    const rest = chunk.length - at
    const known = rest >= headerSize
    const partial = known ? Buffer.allocUnsafe(headerSize + payloadSize(chunk, at)) : this.#header
    chunk.copy(partial, 0, at)
    this.#partial = partial
    this.#filled = rest
  }

  /** Fills up the held frame. Returns where the next one begins. */
  #complete(chunk: Buffer): number {
    let at = 0
    let partial = this.#partial as Buffer
    if (partial === this.#header) {
      const copied = chunk.copy(partial, this.#filled, 0, headerSize - this.#filled)
      at += copied
      this.#filled += copied
      if (this.#filled < headerSize) return at
      partial = Buffer.allocUnsafe(headerSize + payloadSize(this.#header, 0))
      this.#header.copy(partial)
      this.#partial = partial
    }
    const copied = chunk.copy(partial, this.#filled, at)
    at += copied
    this.#filled += copied
    if (this.#filled < partial.length) return at
    this.#partial = undefined
    this.#filled = 0
    this.#onFrame(
      partial[4] as number,
      partial[5] as number,
      partial.readUInt32BE(6),
      partial,
      headerSize,
      partial.length,
    )
    return at
  }
}

function payloadSize(bytes: Buffer, at: number): number {
  const size = bytes.readUInt32BE(at)
  if (size > maxPayload) throw protocolError(`a frame of ${size} bytes; ${maxPayload} at most`)
  return size
}
