import type { Awaitable } from '@micro/core/component'
import type { Context } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import type { Metadata } from '@micro/core/metadata'
import { createMessageQueue, type MessageQueue, type ServerStream } from '@micro/core/transport'
import { toMicroError, tooLarge, toTrailers } from '../errors.ts'
import { type Envelope, FrameParser } from '../wire/frame-parser.ts'
import { decompress } from '../wire/gzip.ts'
import type { Headers } from '../wire/headers.ts'
import { createMessageWriter, type MessageWriter } from '../wire/message-writer.ts'
import { type Incoming, openContext, type ServedCall, toCallHead } from './incoming.ts'
import { compressesFrom, okTrailers, sendFailure, sendHeaders } from './respond.ts'

/** Messages read ahead of the handler. */
const capacity = 16

/** A stream, as the handler sees it, from its headers to its trailers. Whatever fails is answered. */
export class StreamRequest implements ServerStream, ServedCall {
  readonly #incoming: Incoming
  readonly #messages: MessageQueue<Envelope>
  readonly #parser: FrameParser
  readonly #writer: MessageWriter
  readonly #compressFrom: number | false
  #context: Context | undefined
  #reading = true
  #isOpen = false
  #over: { readonly error: unknown } | undefined
  #trailers: Headers = {}
  #lastActivity = performance.now()

  constructor(incoming: Incoming) {
    this.#incoming = incoming
    const { stream, settings } = incoming
    this.#compressFrom = compressesFrom(incoming)
    this.#parser = new FrameParser(settings.maxMessageSize, 'request')
    this.#messages = createMessageQueue({ capacity, onRoom: () => stream.resume() })
    const gone = (): unknown =>
      this.#over?.error ?? new MicroError('cancelled', 'the client has gone')
    this.#writer = createMessageWriter(stream, this.#compressFrom, gone)
    stream.on('close', () => this.#onClose())
    try {
      this.#context = openContext(incoming)
    } catch (error) {
      this.abort(error)
      return
    }
    stream.on('data', (chunk: Buffer) => this.#onData(chunk))
    stream.on('end', () => this.#onEnd())
    // It answers every failure itself.
    void this.#run(this.#context)
  }

  get lastActivity(): number {
    return Math.max(this.#lastActivity, this.#incoming.connection.lastReceived)
  }

  open(headers?: Metadata): void {
    const { stream } = this.#incoming
    if (this.#isOpen || this.#over !== undefined || stream.destroyed) return
    sendHeaders(this.#incoming, headers, this.#compressFrom !== false, () => this.#trailers)
    this.#isOpen = true
  }

  write(message: Uint8Array): Awaitable<void> {
    if (this.#over !== undefined) throw this.#over.error
    const { maxMessageSize } = this.#incoming.settings
    if (message.length > maxMessageSize) {
      throw tooLarge('response', maxMessageSize).with({ processed: 'yes' })
    }
    this.open()
    this.#lastActivity = performance.now()
    return this.#writer.write(message)
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const step = await this.#messages.next()
    if (step.done === true) return step
    if (!step.value.compressed) return { done: false, value: step.value.data }
    const { headers, settings } = this.#incoming
    const encoding = headers.known['grpc-encoding']
    const value = await decompress(step.value, encoding, settings.maxMessageSize, 'request')
    return { done: false, value }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#stopReading(new MicroError('cancelled', 'the server reads no further messages'))
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  abort(error: unknown): void {
    if (this.#over !== undefined) return
    this.#finish(toMicroError(error), undefined)
    this.#context?.cancel(error)
  }

  async #run(context: Context): Promise<void> {
    const { target, connection } = this.#incoming
    context.onCancel((reason) => this.#stopReading(reason))
    try {
      const head = toCallHead(this.#incoming)
      const trailers = await target.receiver.stream(head, this, context, connection.peer)
      await this.#writer.flushed()
      this.#finish(undefined, okTrailers(trailers))
    } catch (error) {
      await this.#writer.flushed()
      this.#finish(toMicroError(error), undefined)
    } finally {
      context.finish()
    }
  }

  /** What the client still sends is read and dropped, so that its end is seen. */
  #stopReading(error: unknown): void {
    this.#reading = false
    this.#messages.fail(error)
    this.#incoming.stream.resume()
  }

  #finish(error: MicroError | undefined, trailers: Headers | undefined): void {
    if (this.#over !== undefined) return
    const { stream, grpcType, settings } = this.#incoming
    // A stream that was refused has no headers, and says so at once.
    if (error !== undefined && !this.#isOpen) {
      this.#end(error)
      sendFailure(stream, grpcType, error, settings)
      return
    }
    try {
      this.open()
    } finally {
      this.#trailers = trailers ?? toTrailers(error as MicroError, settings.dialect)
      this.#end(error)
    }
    stream.end()
  }

  #end(error: MicroError | undefined): void {
    const why = error ?? new MicroError('cancelled', 'the stream has ended')
    this.#over = { error: why }
    this.#stopReading(why)
  }

  #onClose(): void {
    if (this.#over !== undefined) return
    const error = new MicroError('cancelled', 'the client has gone')
    this.#end(error)
    this.#context?.cancel(error)
  }

  #onData(chunk: Buffer): void {
    this.#lastActivity = performance.now()
    if (!this.#reading) return
    try {
      for (const envelope of this.#parser.push(chunk)) {
        if (this.#messages.push(envelope) !== undefined) this.#incoming.stream.pause()
      }
    } catch (error) {
      // The handler is told by its next read.
      this.#stopReading(error)
    }
  }

  #onEnd(): void {
    // A stream that is reset ends as well; `close` tells what to make of it.
    if (!this.#reading || this.#incoming.stream.aborted) return
    try {
      this.#parser.end()
      this.#messages.end()
    } catch (error) {
      this.#stopReading(error)
    }
  }
}
