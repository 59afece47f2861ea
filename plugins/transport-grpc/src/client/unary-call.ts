import { type ClientHttp2Stream, constants, type OutgoingHttpHeaders } from 'node:http2'
import type { Context } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import type { Reply } from '@micro/core/transport'
import { badAnswer, fromHttpStatus, fromTrailers } from '../errors.ts'
import type { Settings } from '../options.ts'
import { type Envelope, FrameParser } from '../wire/frame-parser.ts'
import { decompress } from '../wire/gzip.ts'
import { type ReceivedHeaders, readHeaders } from '../wire/headers.ts'
import { cancel } from './cancel.ts'
import type { RunningCall, Session } from './session.ts'

/** A unary call that waits for its reply. */
export class UnaryCall implements RunningCall {
  readonly #session: Session
  readonly #settings: Settings
  readonly #stream: ClientHttp2Stream
  readonly #resolve: (reply: Reply | Promise<Reply>) => void
  readonly #reject: (error: unknown) => void
  readonly #removeListener: () => void
  readonly #parser: FrameParser
  #settled = false
  #headers: ReceivedHeaders | undefined
  #trailers: ReceivedHeaders | undefined
  #message: Envelope | undefined
  #cause: unknown

  constructor(
    session: Session,
    settings: Settings,
    headers: OutgoingHttpHeaders,
    frame: Buffer,
    context: Context,
    resolve: (reply: Reply | Promise<Reply>) => void,
    reject: (error: unknown) => void,
  ) {
    this.#session = session
    this.#settings = settings
    this.#resolve = resolve
    this.#reject = reject
    this.#parser = new FrameParser(settings.maxMessageSize, 'response')
    const stream = session.open(headers)
    this.#stream = stream
    stream.on('response', (_headers, flags, raw: string[]) => {
      if ((flags & constants.NGHTTP2_FLAG_END_STREAM) === 0) this.#headers = readHeaders(raw)
      else this.#trailers = readHeaders(raw)
    })
    stream.on('trailers', (_trailers, _flags, raw: string[]) => {
      this.#trailers = readHeaders(raw)
    })
    stream.on('data', (chunk: Buffer) => this.#onData(chunk))
    stream.on('error', (error) => {
      this.#cause = error
    })
    stream.on('end', () => {
      if (this.#trailers !== undefined) this.#finish()
    })
    stream.on('close', () => this.#finish())
    session.add(this)
    this.#removeListener = context.onCancel((reason) => this.fail(reason))
    stream.end(frame)
  }

  /** Ends the call now; the server is told. */
  fail(error: unknown): void {
    if (this.#settled) return
    this.#leave()
    cancel(this.#stream)
    this.#reject(error)
  }

  #leave(): void {
    this.#settled = true
    this.#removeListener?.()
    this.#session.forget(this)
  }

  #onData(chunk: Buffer): void {
    if (this.#settled) return
    try {
      for (const envelope of this.#parser.push(chunk)) {
        if (this.#message !== undefined) throw badAnswer(this.#session.address, 'replied twice')
        this.#message = envelope
      }
    } catch (error) {
      const status = Number(this.#headers?.known[':status'])
      // A proxy's page is no message, and says less than its status.
      if (status !== 200) this.fail(fromHttpStatus(status, this.#session.address))
      else this.fail(MicroError.is(error) ? error.with({ processed: 'yes' }) : error)
    }
  }

  #finish(): void {
    if (this.#settled) return
    this.#leave()
    try {
      this.#resolve(this.#reply())
    } catch (error) {
      this.#reject(error)
    }
  }

  #reply(): Reply | Promise<Reply> {
    const { address } = this.#session
    const trailers = this.#trailers
    const status = Number((this.#headers ?? trailers)?.known[':status'] ?? 0)
    if (trailers?.known['grpc-status'] === undefined) {
      if (status !== 0 && status !== 200) throw fromHttpStatus(status, address)
      throw this.#session.explain(this.#stream, this.#cause)
    }
    const error = fromTrailers(trailers, this.#settings.dialect)
    if (error !== undefined) throw error
    if (this.#message === undefined) throw badAnswer(address, 'replied without a message')
    const rest = { headers: this.#headers?.metadata, trailers: trailers.metadata }
    if (!this.#message.compressed) return { body: this.#message.data, ...rest }
    const encoding = this.#headers?.known['grpc-encoding']
    const { maxMessageSize } = this.#settings
    return decompress(this.#message, encoding, maxMessageSize, 'response').then(
      (body) => ({ body, ...rest }),
      (failure: unknown) => {
        throw MicroError.is(failure) ? failure.with({ processed: 'yes' }) : failure
      },
    )
  }
}
