import type { Socket } from 'node:net'
import { frameType, headerSize, maxPayload, moreFlag, writeHeader } from './frame.ts'

const slabSize = 64 * 1024
/** Shorter bodies are copied beside their header: one write for many of them. */
const copiedUpTo = 4 * 1024
/** Bytes that wait for the socket before the parts of long messages, and streams, wait too. */
const roomyUpTo = 256 * 1024

/** The rest of a long message. */
interface Remainder {
  readonly id: number
  readonly body: Uint8Array
  sent: number
}

/**
 * Gathers the frames of a tick into one write. Long messages go in parts, in turn, and only as the
 * socket takes them, so that short ones pass them.
 */
export class FrameWriter {
  readonly #socket: Socket
  #slab: Buffer = Buffer.allocUnsafeSlow(slabSize)
  /** What of the slab has been handed on, and what has been written. */
  #from = 0
  #at = 0
  #chunks: Uint8Array[] = []
  #batched = 0
  #scheduled = false
  #remainders: Remainder[] = []
  #remaining = 0
  readonly #waiting = new Set<() => void>()
  /** Highest id of a frame that has been given to the socket. */
  flushedId = 0
  #lastId = 0

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('drain', () => this.#onDrain())
  }

  /** Bytes that the peer has not taken yet, as far as is known here. */
  get buffered(): number {
    return this.#batched + this.#remaining + this.#socket.writableLength
  }

  /** Whether streams had better wait for `onRoom`. */
  get congested(): boolean {
    return this.#batched + this.#socket.writableLength >= roomyUpTo
  }

  /** Calls `listener` once when the socket takes more again. */
  onRoom(listener: () => void): void {
    this.#waiting.add(listener)
  }

  /** A frame with a short payload, or none. */
  frame(type: number, flags: number, id: number, payload?: Uint8Array): void {
    const length = payload?.length ?? 0
    this.#reserve(headerSize + Math.min(length, copiedUpTo))
    writeHeader(this.#slab, this.#at, type, flags, id, length)
    this.#at += headerSize
    if (payload !== undefined && length > 0) this.#append(payload)
    this.#schedule(headerSize)
  }

  /** A frame of one number. */
  number(type: number, id: number, value: number): void {
    this.#reserve(headerSize + 4)
    writeHeader(this.#slab, this.#at, type, 0, id, 4)
    this.#slab.writeUInt32BE(value, this.#at + headerSize)
    this.#at += headerSize + 4
    this.#schedule(headerSize + 4)
  }

  request(id: number, method: number, timeout: number, metadata: string, body: Uint8Array): void {
    const head = 12 + metadata.length
    const at = this.#begin(frameType.request, id, head, body)
    const slab = this.#slab
    slab.writeUInt32BE(method, at)
    slab.writeUInt32BE(timeout, at + 4)
    slab.writeUInt32BE(metadata.length, at + 8)
    if (metadata.length > 0) slab.write(metadata, at + 12, 'latin1')
    if (id > this.#lastId) this.#lastId = id
    this.#finish(id, head, body)
  }

  reply(id: number, headers: string, trailers: string, body: Uint8Array): void {
    const head = 8 + headers.length + trailers.length
    const at = this.#begin(frameType.reply, id, head, body)
    const slab = this.#slab
    slab.writeUInt32BE(headers.length, at)
    slab.writeUInt32BE(trailers.length, at + 4)
    if (headers.length > 0) slab.write(headers, at + 8, 'latin1')
    if (trailers.length > 0) slab.write(trailers, at + 8 + headers.length, 'latin1')
    this.#finish(id, head, body)
  }

  /** Drops what has not been sent of a long message. */
  abandon(id: number): void {
    if (this.#remainders.length === 0) return
    const at = this.#remainders.findIndex((one) => one.id === id)
    if (at < 0) return
    const [gone] = this.#remainders.splice(at, 1) as [Remainder]
    this.#remaining -= gone.body.length - gone.sent
  }

  /** Hands all that was written to the socket, now rather than at the end of the tick. */
  flush(): void {
    this.#scheduled = false
    if (this.#socket.destroyed) return
    this.#pump()
    this.#write()
  }

  /** Writes the header of a message's first frame and returns where its head goes. */
  #begin(type: number, id: number, head: number, body: Uint8Array): number {
    const fits = Math.min(body.length, maxPayload - head)
    this.#reserve(headerSize + head + (fits <= copiedUpTo ? fits : 0))
    const flags = fits < body.length ? moreFlag : 0
    writeHeader(this.#slab, this.#at, type, flags, id, head + fits)
    const at = this.#at + headerSize
    this.#at = at + head
    return at
  }

  #finish(id: number, head: number, body: Uint8Array): void {
    const fits = Math.min(body.length, maxPayload - head)
    if (fits === body.length) {
      if (fits > 0) this.#append(body)
    } else {
      this.#append(body.subarray(0, fits))
      this.#remainders.push({ id, body, sent: fits })
      this.#remaining += body.length - fits
    }
    this.#schedule(headerSize + head)
  }

  #append(bytes: Uint8Array): void {
    this.#batched += bytes.length
    if (bytes.length <= copiedUpTo) {
      this.#slab.set(bytes, this.#at)
      this.#at += bytes.length
      return
    }
    this.#seal()
    this.#chunks.push(bytes)
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#slab.length) return
    this.#seal()
    this.#slab = Buffer.allocUnsafeSlow(slabSize)
    this.#from = 0
    this.#at = 0
  }

  #seal(): void {
    if (this.#at === this.#from) return
    this.#chunks.push(this.#slab.subarray(this.#from, this.#at))
    this.#from = this.#at
  }

  #schedule(bytes: number): void {
    this.#batched += bytes
    if (this.#scheduled) return
    this.#scheduled = true
    // After the promises of this tick: what they write goes into the same batch.
    process.nextTick(flush, this)
  }

  /** Parts of long messages, in turn, as far as there is room. */
  #pump(): void {
    while (this.#remainders.length > 0 && !this.congested) {
      const one = this.#remainders.shift() as Remainder
      const end = Math.min(one.sent + maxPayload, one.body.length)
      const part = one.body.subarray(one.sent, end)
      const flags = end < one.body.length ? moreFlag : 0
      this.#reserve(headerSize + (part.length <= copiedUpTo ? part.length : 0))
      writeHeader(this.#slab, this.#at, frameType.data, flags, one.id, part.length)
      this.#at += headerSize
      this.#batched += headerSize
      this.#append(part)
      this.#remaining -= part.length
      one.sent = end
      if (flags !== 0) this.#remainders.push(one)
    }
  }

  #write(): void {
    this.#seal()
    const chunks = this.#chunks
    if (chunks.length === 0) return
    this.#batched = 0
    this.flushedId = this.#lastId
    this.#chunks = []
    if (chunks.length === 1) this.#socket.write(chunks[0] as Uint8Array)
    else {
      this.#socket.cork()
      for (const chunk of chunks) this.#socket.write(chunk)
      this.#socket.uncork()
    }
    // The system has taken a copy of all, so the slab is free again.
    if (this.#socket.writableLength === 0) {
      this.#from = 0
      this.#at = 0
    }
  }

  #onDrain(): void {
    if (this.#remainders.length > 0) this.flush()
    if (this.#waiting.size === 0) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const listener of waiting) listener()
  }
}

function flush(writer: FrameWriter): void {
  writer.flush()
}
