import { type ClientHttp2Stream, constants } from 'node:http2'
import type { Awaitable } from '@micro/core/component'
import type { Context } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import { Metadata } from '@micro/core/metadata'
import { type ClientStream, createMessageQueue, type MessageQueue } from '@micro/core/transport'
import { fromHttpStatus, fromTrailers, tooLarge } from '../errors.ts'
import type { Settings } from '../options.ts'
import { type Envelope, FrameParser } from '../wire/frame-parser.ts'
import { decompress } from '../wire/gzip.ts'
import { type Headers, type ReceivedHeaders, readHeaders } from '../wire/headers.ts'
import { createMessageWriter, type MessageWriter } from '../wire/message-writer.ts'
import { cancel } from './cancel.ts'
import type { RunningCall, Session } from './session.ts'

/** Messages read ahead of the caller. */
const capacity = 16

/** What there is once the stream has a connection. */
interface Started {
  readonly session: Session
  readonly stream: ClientHttp2Stream
  readonly writer: MessageWriter
}

/** A stream as the client sees it. */
export class GrpcClientStream implements ClientStream, RunningCall {
  trailers: Metadata = new Metadata()
  readonly #settings: Settings
  readonly #opened: PromiseWithResolvers<Metadata> = Promise.withResolvers()
  readonly #incoming: MessageQueue<Envelope>
  readonly #parser: FrameParser
  readonly #removeListener: () => void
  /** Absent while the connection is being made. */
  #started: Started | undefined
  readonly #starting: Promise<Started> | undefined
  #over: { readonly error: unknown } | undefined
  #head: ReceivedHeaders | undefined
  #end: ReceivedHeaders | undefined
  #cause: unknown
  #lastActivity = performance.now()

  constructor(
    context: Context,
    settings: Settings,
    headers: () => Headers,
    use: (start: (session: Session) => Started) => Awaitable<Started>,
  ) {
    this.#settings = settings
    this.#parser = new FrameParser(settings.maxMessageSize, 'response')
    this.#incoming = createMessageQueue<Envelope>({
      capacity,
      onRoom: () => this.#started?.stream.resume(),
    })
    // A stream that fails while nobody asked for its headers is told by its iteration.
    this.#opened.promise.catch(() => undefined)
    // Called at once if the context is cancelled already.
    this.#removeListener = context.onCancel((reason) => this.fail(reason))
    try {
      const started = use((session) => this.#start(session, headers()))
      if ('then' in started) {
        this.#starting = Promise.resolve(started)
        this.#starting.catch((error: unknown) => this.fail(error))
      }
    } catch (error) {
      this.fail(error)
    }
  }

  get headers(): Promise<Metadata> {
    return this.#opened.promise
  }

  get lastActivity(): number {
    return Math.max(this.#started?.session.lastReceived ?? 0, this.#lastActivity)
  }

  write(message: Uint8Array): Awaitable<void> {
    if (this.#over !== undefined) throw this.#over.error
    const { maxMessageSize } = this.#settings
    if (message.length > maxMessageSize) {
      const error = tooLarge('request', maxMessageSize)
      // The server cannot have the stream it was promised.
      this.fail(error)
      throw error
    }
    if (this.#started === undefined) return this.#writeLater(message)
    this.#lastActivity = performance.now()
    return this.#started.writer.write(message)
  }

  async end(): Promise<void> {
    const { stream, writer } = await this.#whenStarted()
    await writer.flushed()
    if (!stream.destroyed) stream.end()
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const step = await this.#incoming.next()
    if (step.done === true) return step
    if (!step.value.compressed) return { done: false, value: step.value.data }
    const encoding = this.#head?.known['grpc-encoding']
    const { maxMessageSize } = this.#settings
    try {
      const value = await decompress(step.value, encoding, maxMessageSize, 'response')
      return { done: false, value }
    } catch (error) {
      this.fail(error)
      throw error
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.fail(new MicroError('cancelled', 'the caller has ended the stream'))
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Ends both directions; the server is told. */
  fail(error: unknown): void {
    if (!this.#leave(error)) return
    this.#opened.reject(error)
    this.#incoming.fail(error)
    if (this.#started !== undefined) cancel(this.#started.stream)
  }

  #leave(error: unknown): boolean {
    if (this.#over !== undefined) return false
    this.#over = { error }
    // In the constructor it is not there yet if the context was cancelled before.
    this.#removeListener?.()
    this.#started?.session.forget(this)
    return true
  }

  #start(session: Session, headers: Headers): Started {
    if (this.#over !== undefined) throw this.#over.error
    const stream = session.open(headers)
    stream.on('response', (_headers, flags, raw: string[]) => this.#onResponse(flags, raw))
    stream.on('trailers', (_trailers, _flags, raw: string[]) => {
      this.#end = readHeaders(raw)
    })
    stream.on('data', (chunk: Buffer) => this.#onData(chunk))
    stream.on('error', (error) => {
      this.#cause = error
    })
    stream.on('end', () => {
      if (this.#end !== undefined) this.#finish()
    })
    stream.on('close', () => this.#finish())
    const gone = (): unknown => this.#over?.error ?? session.explain(stream, this.#cause)
    const writer = createMessageWriter(stream, this.#settings.compressFrom, gone)
    this.#started = { session, stream, writer }
    session.add(this)
    return this.#started
  }

  #onResponse(flags: number, raw: string[]): void {
    const received = readHeaders(raw)
    this.#lastActivity = performance.now()
    if ((flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0) {
      this.#end = received
      return
    }
    this.#head = received
    if (received.known[':status'] === '200') {
      this.#opened.resolve(received.metadata ?? new Metadata())
    }
  }

  #onData(chunk: Buffer): void {
    this.#lastActivity = performance.now()
    if (this.#over !== undefined) return
    try {
      for (const envelope of this.#parser.push(chunk)) {
        if (this.#incoming.push(envelope) !== undefined) this.#started?.stream.pause()
      }
    } catch (error) {
      const status = Number(this.#head?.known[':status'])
      const { session } = this.#started as Started
      if (status !== 200) this.fail(fromHttpStatus(status, session.address))
      else this.fail(MicroError.is(error) ? error.with({ processed: 'yes' }) : error)
    }
  }

  /** The server has ended it: what has come is still read, then the error if there is one. */
  #finish(): void {
    if (this.#over !== undefined) return
    const error = this.#status()
    const ended = error ?? new MicroError('cancelled', 'the server has ended the stream')
    const { stream } = this.#started as Started
    this.trailers = this.#end?.metadata ?? this.trailers
    this.#leave(ended)
    if (error === undefined) this.#opened.resolve(new Metadata())
    else this.#opened.reject(error)
    this.#incoming.end(error)
    // What the caller still sends has no one to read it.
    if (!stream.writableEnded) stream.close(constants.NGHTTP2_NO_ERROR)
  }

  #status(): Error | undefined {
    const { session, stream } = this.#started as Started
    const status = Number((this.#head ?? this.#end)?.known[':status'] ?? 0)
    if (this.#end?.known['grpc-status'] !== undefined) {
      return fromTrailers(this.#end, this.#settings.dialect)
    }
    if (status !== 0 && status !== 200) return fromHttpStatus(status, session.address)
    return session.explain(stream, this.#cause)
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
}
