import type { Awaitable } from '@micro/core/component'
import type { Context } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import { Metadata } from '@micro/core/metadata'
import type { CallHead, ClientStream } from '@micro/core/transport'
import { decodeError, protocolError } from '../errors.ts'
import type { Settings } from '../options.ts'
import { frameType, moreFlag } from '../wire/frame.ts'
import { Inbox } from '../wire/inbox.ts'
import { decodeMetadata } from '../wire/metadata-block.ts'
import { Outbox } from '../wire/outbox.ts'
import type { ClientCall } from './client-call.ts'
import type { ClientLink } from './client-link.ts'

/** What there is once the stream has a connection. */
interface Started {
  readonly link: ClientLink
  readonly id: number
  readonly inbox: Inbox
  readonly outbox: Outbox
}

/** A stream as the client sees it. */
export class TcpClientStream implements ClientStream, ClientCall {
  trailers: Metadata = new Metadata()
  readonly #settings: Settings
  readonly #opened: PromiseWithResolvers<Metadata> = Promise.withResolvers()
  readonly #removeListener: () => void
  /** Absent while the connection is being made. */
  #started: Started | undefined
  readonly #starting: Promise<Started> | undefined
  #over: { readonly error: unknown } | undefined
  #lastActivity = performance.now()

  constructor(
    head: CallHead,
    context: Context,
    settings: Settings,
    use: (start: (link: ClientLink) => Started) => Awaitable<Started>,
  ) {
    this.#settings = settings
    // A stream that fails while nobody asked for its headers is told by its iteration.
    this.#opened.promise.catch(() => undefined)
    // Called at once if the context is cancelled already.
    this.#removeListener = context.onCancel((reason) => this.fail(reason))
    try {
      const started = use((link) => this.#start(link, head, context))
      if ('then' in started) {
        this.#starting = Promise.resolve(started)
        this.#starting.catch((error: unknown) => this.fail(error))
      }
    } catch (error) {
      this.fail(error)
    }
  }

  get id(): number {
    return this.#started?.id ?? 0
  }

  get headers(): Promise<Metadata> {
    return this.#opened.promise
  }

  get lastActivity(): number {
    const received = this.#started?.link.lastReceived ?? 0
    return Math.max(received, this.#lastActivity)
  }

  write(message: Uint8Array): Awaitable<void> {
    if (this.#over !== undefined) throw this.#over.error
    if (this.#started === undefined) return this.#writeLater(message)
    this.#lastActivity = performance.now()
    try {
      return this.#started.outbox.write(message)
    } catch (error) {
      // Too large, say: the server cannot have the stream it was promised.
      if (MicroError.is(error, 'resource_exhausted')) this.fail(error)
      throw error
    }
  }

  async end(): Promise<void> {
    const { link, id, outbox } = await this.#whenStarted()
    outbox.end(() => link.writer.frame(frameType.end, 0, id))
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#started === undefined && this.#over !== undefined) throw this.#over.error
    const { inbox } = await this.#whenStarted()
    return inbox.next()
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.fail(new MicroError('cancelled', 'the caller has ended the stream'))
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  receive(type: number, flags: number, bytes: Buffer, start: number, end: number): void {
    const { inbox, outbox } = this.#started as Started
    switch (type) {
      case frameType.data:
        this.#open(new Metadata())
        try {
          inbox.push(bytes.subarray(start, end), (flags & moreFlag) !== 0)
        } catch (error) {
          if (!MicroError.is(error, 'resource_exhausted')) throw error
          this.fail(error.with({ processed: 'yes' }))
        }
        return
      case frameType.open:
        this.#open(this.#metadata(bytes, start, end))
        return
      case frameType.end:
        this.#open(new Metadata())
        this.trailers = this.#metadata(bytes, start, end)
        this.#finish(undefined)
        return
      case frameType.error: {
        const error = decodeError(bytes.subarray(start, end))
        this.trailers = error.metadata
        this.#finish(error)
        return
      }
      case frameType.credit:
        if (end - start !== 4) throw protocolError('credit without its number')
        outbox.grant(bytes.readUInt32BE(start))
        return
      case frameType.stop:
        outbox.fail(new MicroError('cancelled', 'the server reads no further messages'))
        return
      default:
        throw protocolError(`frame ${type} for a stream`)
    }
  }

  /** Ends both directions; the server is told. */
  fail(error: unknown): void {
    if (this.#over !== undefined) return
    this.#end(error)
    this.#opened.reject(error)
    if (this.#started === undefined) return
    const { link, id, inbox, outbox } = this.#started
    inbox.fail(error)
    outbox.fail(error)
    link.cancel(id)
    link.forget(id)
  }

  /** The server has ended it: what has come is still read. */
  #finish(error: MicroError | undefined): void {
    if (this.#over !== undefined) return
    const ended = error ?? new MicroError('cancelled', 'the server has ended the stream')
    this.#end(ended)
    this.#opened.reject(ended)
    const { link, id, inbox, outbox } = this.#started as Started
    inbox.end(error)
    outbox.fail(ended)
    link.forget(id)
  }

  #end(error: unknown): void {
    this.#over = { error }
    // In the constructor it is not there yet if the context was cancelled before.
    this.#removeListener?.()
  }

  #open(headers: Metadata): void {
    this.#opened.resolve(headers)
  }

  #start(link: ClientLink, head: CallHead, context: Context): Started {
    if (this.#over !== undefined) throw this.#over.error
    const id = link.begin(head, undefined, context)
    const { writer, limits } = link
    const { maxMessageSize, streamCredit } = this.#settings
    const inbox = new Inbox(writer, id, { maxMessageSize, streamCredit }, 'response')
    const outbox = new Outbox(writer, id, limits, 'request')
    this.#started = { link, id, inbox, outbox }
    link.add(this)
    return this.#started
  }

  async #whenStarted(): Promise<Started> {
    if (this.#started !== undefined) return this.#started
    if (this.#over !== undefined) throw this.#over.error
    return this.#starting as Promise<Started>
  }

  async #writeLater(message: Uint8Array): Promise<void> {
    await this.#whenStarted()
    await this.write(message)
  }

  #metadata(bytes: Buffer, start: number, end: number): Metadata {
    try {
      return decodeMetadata(bytes, start, end)
    } catch {
      throw protocolError('malformed metadata')
    }
  }
}
