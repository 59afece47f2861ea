import type { Socket } from 'node:net'
import { Context, rootContext } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import type { Metadata } from '@micro/core/metadata'
import type { CallReceiver, Peer, Reply } from '@micro/core/transport'
import { encodeError, headersTooLarge, protocolError, tooLarge } from '../errors.ts'
import type { Settings } from '../options.ts'
import { frameType, maxPayload, moreFlag, noTimeout } from '../wire/frame.ts'
import { Link, type PeerLimits } from '../wire/link.ts'
import { decodeMetadata, encodeMetadata } from '../wire/metadata-block.ts'
import { PartialMessage } from '../wire/partial-message.ts'
import { MethodTable } from './method-table.ts'
import { peerOf } from './peer-of.ts'
import { serveStream } from './serve-stream.ts'
import { ServerCall, ServerCalls } from './server-call.ts'
import { TcpServerStream } from './server-stream.ts'

/** One client's socket and the calls on it. */
export class ServerLink {
  readonly #receiver: CallReceiver
  readonly #settings: Settings
  readonly #link: Link
  readonly #peer: Peer
  readonly #methods: MethodTable
  readonly #calls: ServerCalls
  #lastId = 0
  #draining: boolean

  constructor(
    socket: Socket,
    receiver: CallReceiver,
    settings: Settings,
    draining: boolean,
    listeners: { readonly onIdle: () => void; readonly onClose: () => void },
  ) {
    this.#receiver = receiver
    this.#settings = settings
    this.#draining = draining
    this.#methods = new MethodTable(receiver)
    this.#calls = new ServerCalls(settings.maxPendingBytes, listeners.onIdle)
    this.#peer = peerOf(socket)
    const timer = setTimeout(() => {
      this.#link.destroy(new Error('no hello within connectTimeout'))
    }, settings.connectTimeout)
    this.#link = new Link(socket, settings, {
      onHello: () => {
        clearTimeout(timer)
        if (this.#draining) this.#refuseMore()
      },
      onFrame: (type, flags, id, bytes, start, end) =>
        this.#onFrame(type, flags, id, bytes, start, end),
      // A client has nothing that it could refuse.
      onGoAway: () => undefined,
      onClose: () => {
        clearTimeout(timer)
        listeners.onClose()
        for (const call of this.#calls.all()) {
          this.#cancel(call, new MicroError('cancelled', 'the client has gone'))
        }
        listeners.onIdle()
      },
    })
    socket.on('drain', () => {
      if (this.#link.paused && this.#link.writer.buffered <= settings.maxBufferedBytes) {
        this.#link.resume()
      }
    })
  }

  get idle(): boolean {
    return this.#calls.size === 0
  }

  drain(): void {
    if (this.#draining) return
    this.#draining = true
    // Before its hello it knows nothing to go away from.
    if (this.#link.limits !== undefined) this.#refuseMore()
  }

  close(): void {
    this.#link.end(new Error('closed by this side'))
  }

  destroy(): void {
    this.#link.destroy(new Error('closed by this side'))
  }

  #refuseMore(): void {
    this.#link.goAway(this.#lastId, 'the server is stopping')
  }

  #onFrame(
    type: number,
    flags: number,
    id: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    const call = this.#calls.get(id)
    switch (type) {
      case frameType.request:
        this.#onRequest(flags, id, bytes, start, end)
        break
      case frameType.data:
        // What crossed our answer is for nobody.
        if (call !== undefined) this.#onData(call, flags, bytes.subarray(start, end))
        else this.#requireKnown(id)
        break
      case frameType.method:
        this.#methods.add(id, bytes.toString('utf8', start, end))
        break
      case frameType.end:
        call?.stream?.onEnd()
        break
      case frameType.credit:
        if (end - start !== 4) throw protocolError('credit without its number')
        call?.stream?.onCredit(bytes.readUInt32BE(start))
        break
      case frameType.cancel:
        if (call !== undefined) {
          this.#cancel(call, new MicroError('cancelled', 'the client has cancelled the call'))
        }
        break
      default:
        throw protocolError(`frame ${type} is none of a client's`)
    }
    // A client that reads nothing is not listened to, or its answers would pile up here.
    if (this.#link.writer.buffered > this.#settings.maxBufferedBytes) this.#link.pause()
  }

  #onRequest(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id <= this.#lastId) throw protocolError(`id ${id} after ${this.#lastId}`)
    if (end - start < 12) throw protocolError('a request without its head')
    const method = this.#methods.get(bytes.readUInt32BE(start))
    const timeout = bytes.readUInt32BE(start + 4)
    const metadataStart = start + 12
    const bodyStart = metadataStart + bytes.readUInt32BE(start + 8)
    if (bodyStart > end) throw protocolError('a request shorter than its metadata')
    if (this.#draining) {
      this.#refuse(id, 'unavailable', 'the server is stopping')
      return
    }
    this.#lastId = id
    const { received } = method
    if (received === undefined) {
      this.#refuse(id, 'unimplemented', `unknown method ${method.service}/${method.name}`)
      return
    }
    const { maxCalls, maxHeaderSize } = this.#settings
    if (this.#calls.size >= maxCalls) {
      this.#refuse(id, 'resource_exhausted', `${maxCalls} calls on one connection (maxCalls)`)
      return
    }
    if (bodyStart - metadataStart > maxHeaderSize) {
      this.#sendError(id, headersTooLarge(maxHeaderSize).with({ processed: 'no' }))
      return
    }
    let metadata: Metadata
    try {
      metadata = decodeMetadata(bytes, metadataStart, bodyStart)
    } catch (error) {
      this.#sendError(id, (error as MicroError).with({ processed: 'no' }))
      return
    }
    const context =
      timeout === noTimeout ? new Context(rootContext) : new Context(rootContext, { timeout })
    const call = new ServerCall(id, context, {
      service: received.service,
      method: received.name,
      kind: received.kind,
      idempotency: received.idempotency,
      contentType: method.contentType,
      metadata,
    })
    if (received.kind !== 'unary') {
      if (bodyStart !== end || flags !== 0) throw protocolError('a stream begins without a message')
      this.#calls.add(call)
      const limits = this.#link.limits as PeerLimits
      call.stream = new TcpServerStream(this.#link, id, limits, this.#settings)
      serveStream(call.stream, call, this.#receiver, this.#peer, {
        limits,
        end: (trailers) => {
          this.#link.writer.frame(frameType.end, 0, id, trailers)
          this.#calls.end(call)
        },
        fail: (error) => this.#fail(call, error),
      })
      return
    }
    const part = bytes.subarray(bodyStart, end)
    if (!this.#calls.hasRoom(part.length)) {
      context.finish()
      this.#refuse(id, 'resource_exhausted', this.#tooMuchPending())
      return
    }
    this.#calls.add(call)
    if ((flags & moreFlag) !== 0) {
      call.partial = new PartialMessage(this.#settings.maxMessageSize)
      this.#onPart(call, part, true)
    } else if (part.length > this.#settings.maxMessageSize) {
      this.#fail(call, tooLarge('request', this.#settings.maxMessageSize).with({ processed: 'no' }))
    } else {
      this.#calls.hold(call, part.length)
      this.#serveUnary(call, part)
    }
  }

  #onData(call: ServerCall, flags: number, part: Buffer): void {
    const more = (flags & moreFlag) !== 0
    if (call.stream === undefined) this.#onPart(call, part, more)
    else call.stream.onData(part, more)
  }

  #onPart(call: ServerCall, part: Buffer, more: boolean): void {
    if (call.partial === undefined) throw protocolError('a second message of a unary call')
    if (!this.#calls.hasRoom(part.length)) {
      this.#fail(
        call,
        new MicroError('resource_exhausted', this.#tooMuchPending(), { processed: 'no' }),
      )
      return
    }
    this.#calls.hold(call, part.length)
    const body = call.partial.push(part, more)
    if (body === undefined) return
    call.partial = undefined
    if (body === 'too large') {
      this.#fail(call, tooLarge('request', this.#settings.maxMessageSize).with({ processed: 'no' }))
    } else this.#serveUnary(call, body)
  }

  #serveUnary(call: ServerCall, body: Buffer): void {
    try {
      const reply = this.#receiver.unary(call.head, body, call.context, this.#peer)
      if ('then' in reply) {
        reply.then(
          (value) => this.#reply(call, value),
          (error: unknown) => this.#fail(call, error),
        )
      } else this.#reply(call, reply)
    } catch (error) {
      this.#fail(call, error)
    }
  }

  #reply(call: ServerCall, { body, headers, trailers }: Reply): void {
    // Nobody waits for it.
    if (this.#calls.get(call.id) === undefined) return
    const { maxMessageSize, maxHeaderSize } = this.#link.limits as PeerLimits
    const limit = Math.min(maxMessageSize, this.#settings.maxMessageSize)
    if (body.length > limit) {
      this.#fail(call, tooLarge('response', limit).with({ processed: 'yes' }))
      return
    }
    const encodedHeaders = encodeMetadata(headers)
    const encodedTrailers = encodeMetadata(trailers)
    if (encodedHeaders.length + encodedTrailers.length > maxHeaderSize) {
      this.#fail(call, headersTooLarge(maxHeaderSize).with({ processed: 'yes' }))
      return
    }
    this.#link.writer.reply(call.id, encodedHeaders, encodedTrailers, body)
    this.#calls.end(call)
  }

  #fail(call: ServerCall, error: unknown): void {
    if (this.#calls.get(call.id) === undefined) return
    this.#sendError(
      call.id,
      MicroError.is(error) ? error : new MicroError('internal', 'internal error'),
    )
    this.#calls.end(call)
  }

  #cancel(call: ServerCall, reason: MicroError): void {
    this.#link.writer.abandon(call.id)
    call.stream?.fail(reason)
    call.context.cancel(reason)
    this.#calls.end(call)
  }

  #refuse(id: number, code: 'unavailable' | 'unimplemented' | 'resource_exhausted', why: string) {
    this.#sendError(id, new MicroError(code, why, { processed: 'no' }))
  }

  #sendError(id: number, error: MicroError): void {
    this.#link.writer.frame(frameType.error, 0, id, encodeError(error, maxPayload))
  }

  #requireKnown(id: number): void {
    if (id === 0 || id > this.#lastId) throw protocolError(`data for ${id}, which is no call`)
  }

  #tooMuchPending(): string {
    return `more than ${this.#settings.maxPendingBytes} bytes of requests wait (maxPendingBytes)`
  }
}
