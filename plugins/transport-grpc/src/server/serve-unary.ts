import { isPromise } from '@micro/core/component'
import type { Context } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import type { Reply } from '@micro/core/transport'
import { toMicroError, tooLarge } from '../errors.ts'
import { type Envelope, FrameParser, writeFrame } from '../wire/frame-parser.ts'
import { compress, decompress } from '../wire/gzip.ts'
import type { Headers } from '../wire/headers.ts'
import { type Incoming, openContext, type ServedCall, toCallHead } from './incoming.ts'
import { compressesFrom, okTrailers, sendFailure, sendHeaders } from './respond.ts'

/** A unary call, from its first byte to its answer. Whatever fails is answered. */
export class UnaryRequest implements ServedCall {
  /** When it began, until all of it has come. */
  receivingSince: number | undefined = performance.now()
  readonly #incoming: Incoming
  readonly #parser: FrameParser
  #context: Context | undefined
  #message: Envelope | undefined
  #held = 0
  #answered = false

  constructor(incoming: Incoming) {
    this.#incoming = incoming
    const { stream, settings } = incoming
    this.#parser = new FrameParser(settings.maxMessageSize, 'request')
    stream.on('close', () => this.#onClose())
    try {
      this.#context = openContext(incoming)
    } catch (error) {
      this.abort(error)
      return
    }
    stream.on('data', (chunk: Buffer) => this.#onData(chunk))
    stream.on('end', () => this.#onEnd())
  }

  abort(error: unknown): void {
    if (this.#answered) return
    this.#settle()
    const { stream, grpcType, settings } = this.#incoming
    sendFailure(stream, grpcType, toMicroError(error), settings)
    this.#context?.cancel(error)
  }

  /** The answer is known; what the handler may still do is of no interest. */
  #settle(): void {
    this.#answered = true
    this.receivingSince = undefined
    this.#hold(0)
  }

  #hold(bytes: number): void {
    this.#incoming.connection.pendingBytes += bytes - this.#held
    this.#held = bytes
  }

  #onClose(): void {
    if (this.#answered) return
    this.#settle()
    this.#context?.cancel(new MicroError('cancelled', 'the client has gone'))
  }

  #onData(chunk: Buffer): void {
    if (this.#answered) return
    const { connection, settings } = this.#incoming
    try {
      for (const envelope of this.#parser.push(chunk)) {
        if (this.#message !== undefined) {
          throw new MicroError('invalid_argument', 'a unary call has one message')
        }
        this.#message = envelope
      }
      // All of a small request is there at once, and never counts.
      if (this.#parser.held > 0) this.#hold(this.#parser.held)
      if (connection.pendingBytes > settings.maxPendingBytes) {
        throw new MicroError(
          'resource_exhausted',
          `half-received requests of the connection exceed maxPendingBytes of ${settings.maxPendingBytes} bytes`,
        )
      }
    } catch (error) {
      this.abort(toMicroError(error).with({ processed: 'no' }))
    }
  }

  #onEnd(): void {
    // A stream that is reset ends as well; `close` tells what to make of it.
    if (this.#answered || this.#incoming.stream.aborted) return
    this.receivingSince = undefined
    this.#hold(0)
    const message = this.#message
    try {
      this.#parser.end()
      if (message === undefined) {
        throw new MicroError('invalid_argument', 'a unary call has one message, and none came')
      }
    } catch (error) {
      this.abort(toMicroError(error).with({ processed: 'no' }))
      return
    }
    if (!message.compressed) this.#dispatch(message.data)
    else {
      const { headers, settings } = this.#incoming
      const encoding = headers.known['grpc-encoding']
      decompress(message, encoding, settings.maxMessageSize, 'request').then(
        (body) => this.#dispatch(body),
        (error: unknown) => this.abort(toMicroError(error).with({ processed: 'no' })),
      )
    }
  }

  #dispatch(body: Buffer): void {
    if (this.#answered) return
    const { target, connection } = this.#incoming
    const context = this.#context as Context
    try {
      const head = toCallHead(this.#incoming)
      const reply = target.receiver.unary(head, body, context, connection.peer)
      if (!isPromise(reply)) this.#answer(reply)
      else {
        reply.then(
          (value) => this.#answer(value),
          (error: unknown) => this.#fail(error),
        )
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    this.abort(error)
    this.#context?.finish()
  }

  #answer(reply: Reply): void {
    if (this.#answered) return
    const { maxMessageSize } = this.#incoming.settings
    const from = compressesFrom(this.#incoming)
    try {
      if (reply.body.length > maxMessageSize) {
        throw tooLarge('response', maxMessageSize).with({ processed: 'yes' })
      }
      const trailers = okTrailers(reply.trailers)
      if (from === false || reply.body.length < from) {
        this.#send(reply, trailers, writeFrame(reply.body, false), false)
      } else {
        compress(reply.body).then(
          (data) => this.#send(reply, trailers, writeFrame(data, true), true),
          (error: unknown) => this.#fail(error),
        )
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  #send(reply: Reply, trailers: Headers, frame: Buffer, gzip: boolean): void {
    const { stream } = this.#incoming
    if (this.#answered) return
    try {
      sendHeaders(this.#incoming, reply.headers, gzip, () => trailers)
    } catch (error) {
      this.#fail(error)
      return
    }
    this.#settle()
    stream.end(frame)
    this.#context?.finish()
  }
}
