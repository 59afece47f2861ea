import type { Socket } from 'node:net'
import { unrefTimer } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import { protocolError } from '../errors.ts'
import type { Settings } from '../options.ts'
import { frameType, magic, maxPayload, version } from './frame.ts'
import { FrameParser, type OnFrame } from './frame-parser.ts'
import { FrameWriter } from './frame-writer.ts'

/** What the other side takes, as its hello said. */
export interface PeerLimits {
  readonly maxMessageSize: number
  readonly maxHeaderSize: number
  readonly maxCalls: number
  readonly streamCredit: number
}

export interface LinkOwner {
  /** The peer's hello has come; frames may follow. */
  onHello(): void
  /** Frames that are about calls. */
  readonly onFrame: OnFrame
  /** The peer takes no ids above `lastId`. */
  onGoAway(lastId: number, reason: string): void
  /** Once, with why. */
  onClose(error: unknown): void
}

const helloSize = 21

/** One socket, of either side: greets, cuts frames, answers pings, notices a peer that is gone. */
export class Link {
  readonly socket: Socket
  readonly writer: FrameWriter
  /** Set by the peer's hello. */
  limits: PeerLimits | undefined
  /** `performance.now()` of the last bytes from the peer. */
  lastReceived: number = performance.now()
  readonly #owner: LinkOwner
  readonly #settings: Settings
  readonly #pings: (() => void)[] = []
  readonly #watchdog: NodeJS.Timeout
  /** Runs while a silent peer has been asked for a sign of life. */
  #patience: NodeJS.Timeout | undefined
  readonly #parser: FrameParser
  #written = -1
  #error: unknown
  #closed = false

  constructor(socket: Socket, settings: Settings, owner: LinkOwner) {
    this.socket = socket
    this.#settings = settings
    this.#owner = owner
    this.writer = new FrameWriter(socket)
    this.#parser = new FrameParser((type, flags, id, bytes, start, end) =>
      this.#onFrame(type, flags, id, bytes, start, end),
    )
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      if (this.#closed) return
      this.lastReceived = performance.now()
      if (this.#patience !== undefined) {
        clearTimeout(this.#patience)
        this.#patience = undefined
      }
      this.#parse(chunk)
    })
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () =>
      this.#fail(
        new Error(
          this.#parser.midFrame ? 'closed in the middle of a frame' : 'the peer has closed',
        ),
      ),
    )
    this.#watchdog = unrefTimer(setInterval(() => this.#watch(), settings.pingInterval))
    this.#greet()
  }

  get closed(): boolean {
    return this.#closed
  }

  /** A round trip to the peer's application. Never settles once the link has closed. */
  ping(): Promise<void> {
    return new Promise((resolve) => {
      this.#pings.push(resolve)
      this.writer.frame(frameType.ping, 0, 0)
    })
  }

  /** Says that ids above `lastId` are not taken, and why. */
  goAway(lastId: number, reason: string): void {
    const text = Buffer.from(reason).subarray(0, 1_024)
    const payload = Buffer.allocUnsafe(4 + text.length)
    payload.writeUInt32BE(lastId)
    text.copy(payload, 4)
    this.writer.frame(frameType.goAway, 0, 0, payload)
  }

  /** Tells the peer why, then closes. What was written before is still sent. */
  end(error: unknown): void {
    if (this.#closed) return
    if (MicroError.is(error, 'internal')) this.goAway(0, error.detail)
    this.writer.flush()
    this.#error = error
    this.socket.end()
    // A peer that does not take even this is not waited for.
    unrefTimer(setTimeout(() => this.socket.destroy(), 1_000))
    this.#fail(error)
  }

  /** Closes at once. */
  destroy(error: unknown): void {
    this.#error = error
    this.socket.destroy()
    this.#fail(error)
  }

  get paused(): boolean {
    return this.#parser.paused
  }

  /** Takes no more from the peer, not even what has been read. */
  pause(): void {
    this.#parser.paused = true
    this.socket.pause()
  }

  resume(): void {
    this.#parser.paused = false
    this.#parse(Buffer.alloc(0))
    if (!this.#parser.paused) this.socket.resume()
  }

  #parse(chunk: Buffer): void {
    try {
      this.#parser.push(chunk)
    } catch (error) {
      this.end(error)
    }
  }

  #greet(): void {
    const { maxMessageSize, maxHeaderSize, maxCalls, streamCredit } = this.#settings
    const hello = Buffer.allocUnsafe(helloSize)
    hello.writeUInt32BE(magic)
    hello[4] = version
    hello.writeUInt32BE(maxMessageSize, 5)
    hello.writeUInt32BE(maxHeaderSize, 9)
    hello.writeUInt32BE(maxCalls, 13)
    hello.writeUInt32BE(streamCredit, 17)
    this.writer.frame(frameType.hello, 0, 0, hello)
  }

  #onFrame(
    type: number,
    flags: number,
    id: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    // The peer was told already, and what it still sends is not looked at.
    if (this.#closed) return
    if (this.limits === undefined) {
      this.#onHello(type, bytes, start, end)
      return
    }
    switch (type) {
      case frameType.ping:
        this.writer.frame(frameType.pong, 0, id)
        return
      case frameType.pong:
        this.#pings.shift()?.()
        return
      case frameType.goAway:
        if (end - start < 4) throw protocolError('a go-away without its last id')
        this.#owner.onGoAway(bytes.readUInt32BE(start), bytes.toString('utf8', start + 4, end))
        return
      default:
        this.#owner.onFrame(type, flags, id, bytes, start, end)
    }
  }

  #onHello(type: number, bytes: Buffer, start: number, end: number): void {
    if (type === frameType.goAway && end - start >= 4) {
      throw protocolError(`it refuses us: ${bytes.toString('utf8', start + 4, end)}`)
    }
    const known = end - start >= helloSize && bytes.readUInt32BE(start) === magic
    if (type !== frameType.hello || !known) throw protocolError('it does not begin with hello')
    // A later version says hello in more bytes, and speaks the older one of both.
    if ((bytes[start + 4] as number) < version) {
      throw protocolError(`version ${bytes[start + 4]}; we speak ${version}`)
    }
    this.limits = {
      maxMessageSize: bytes.readUInt32BE(start + 5),
      // Whatever it takes, more would not fit into a frame.
      maxHeaderSize: Math.min(bytes.readUInt32BE(start + 9), maxPayload / 2),
      maxCalls: bytes.readUInt32BE(start + 13),
      streamCredit: bytes.readUInt32BE(start + 17),
    }
    this.#owner.onHello()
  }

  /** Asks a silent peer for a sign of life, and gives up on one that gives none. */
  #watch(): void {
    const { pingInterval, pingTimeout } = this.#settings
    if (this.paused) {
      // We do not listen to it, since it does not read: whether it reads anything shows its life.
      const written = this.socket.bytesWritten - this.socket.writableLength
      if (written === this.#written) {
        this.destroy(new Error(`it has read nothing for ${pingInterval} ms`))
      }
      this.#written = written
      return
    }
    const silence = performance.now() - this.lastReceived
    if (this.#patience !== undefined || silence < pingInterval) return
    this.writer.frame(frameType.ping, 0, 0)
    this.#pings.push(() => undefined)
    this.#patience = unrefTimer(
      setTimeout(
        () => this.destroy(new Error(`no answer to a ping within ${pingTimeout} ms`)),
        pingTimeout,
      ),
    )
  }

  #fail(error: unknown): void {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#watchdog)
    clearTimeout(this.#patience)
    this.#owner.onClose(this.#error ?? error)
  }
}
