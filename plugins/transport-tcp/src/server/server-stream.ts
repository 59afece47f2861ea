import type { Awaitable } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { Metadata } from '@micro/core/metadata'
import type { ServerStream } from '@micro/core/transport'
import { headersTooLarge } from '../errors.ts'
import type { Settings } from '../options.ts'
import { frameType } from '../wire/frame.ts'
import { Inbox } from '../wire/inbox.ts'
import type { Link, PeerLimits } from '../wire/link.ts'
import { encodeMetadata } from '../wire/metadata-block.ts'
import { Outbox } from '../wire/outbox.ts'

/** A stream as the handler sees it. */
export class TcpServerStream implements ServerStream {
  readonly #link: Link
  readonly #id: number
  readonly #limits: PeerLimits
  readonly #inbox: Inbox
  readonly #outbox: Outbox
  #isOpen = false
  #over = false
  #lastActivity = performance.now()

  constructor(link: Link, id: number, limits: PeerLimits, settings: Settings) {
    this.#link = link
    this.#id = id
    this.#limits = limits
    this.#inbox = new Inbox(link.writer, id, settings, 'request')
    const maxMessageSize = Math.min(limits.maxMessageSize, settings.maxMessageSize)
    this.#outbox = new Outbox(link.writer, id, { ...limits, maxMessageSize }, 'response')
  }

  get lastActivity(): number {
    return Math.max(this.#lastActivity, this.#link.lastReceived)
  }

  open(headers?: Metadata): void {
    if (this.#isOpen || this.#over) return
    const block = encodeMetadata(headers)
    const { maxHeaderSize } = this.#limits
    if (block.length > maxHeaderSize) throw headersTooLarge(maxHeaderSize)
    this.#isOpen = true
    // Data says it as well, where there are no headers to tell.
    this.#link.writer.frame(frameType.open, 0, this.#id, Buffer.from(block, 'latin1'))
  }

  write(message: Uint8Array): Awaitable<void> {
    this.open()
    this.#lastActivity = performance.now()
    return this.#outbox.write(message)
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    return this.#inbox.next()
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#inbox.fail(new MicroError('cancelled', 'the server reads no further messages'))
    if (!this.#over) this.#link.writer.frame(frameType.stop, 0, this.#id)
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  onData(part: Buffer, more: boolean): void {
    try {
      this.#inbox.push(part, more)
    } catch (error) {
      if (!MicroError.is(error, 'resource_exhausted')) throw error
      // The handler is told by its next read.
      this.#inbox.fail(error)
    }
  }

  onEnd(): void {
    this.#inbox.end()
  }

  onCredit(bytes: number): void {
    this.#outbox.grant(bytes)
  }

  /** Calls `last` once all that was written is on its way. */
  end(last: () => void): void {
    this.#outbox.end(() => {
      this.#over = true
      this.#inbox.fail(new MicroError('cancelled', 'the stream has ended'))
      last()
    })
  }

  fail(error: unknown): void {
    this.#over = true
    this.#inbox.fail(error)
    this.#outbox.fail(error)
  }
}
