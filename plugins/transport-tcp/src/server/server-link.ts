import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { Context, rootContext } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import type { Metadata } from '@micro/core/metadata'
import {
  type CallHead,
  type CallReceiver,
  describeCertificate,
  type Peer,
  type ReceivedMethod,
  type Reply,
} from '@micro/core/transport'
import { encodeError, headersTooLarge, protocolError, tooLarge } from '../errors.ts'
import type { Settings } from '../options.ts'
import { frameType, maxPayload, moreFlag, noTimeout } from '../wire/frame.ts'
import { Link, type PeerLimits } from '../wire/link.ts'
import { decodeMetadata, encodeMetadata } from '../wire/metadata-block.ts'
import { PartialMessage } from '../wire/partial-message.ts'
import { TcpServerStream } from './server-stream.ts'

const maxMethods = 4_096

interface Method {
  readonly service: string
  readonly name: string
  readonly contentType: string
  readonly received: ReceivedMethod | undefined
}

/** A call under way. */
class ServerCall {
  readonly id: number
  readonly context: Context
  readonly head: CallHead
  /** Bytes of its request, which are held for it. */
  size = 0
  /** Of a request that comes in parts. */
  partial: PartialMessage | undefined
  stream: TcpServerStream | undefined

  constructor(id: number, context: Context, head: CallHead) {
    this.id = id
    this.context = context
    this.head = head
  }
}

/** One client's socket and the calls on it. */
export class ServerLink {
  readonly #receiver: CallReceiver
  readonly #settings: Settings
  readonly #link: Link
  readonly #peer: Peer
  readonly #methods: Method[] = []
  readonly #calls = new Map<number, ServerCall>()
  readonly #onIdle: () => void
  #pending = 0
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
    this.#onIdle = listeners.onIdle
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
        for (const call of [...this.#calls.values()]) {
          this.#cancel(call, new MicroError('cancelled', 'the client has gone'))
        }
        this.#onIdle()
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
        this.#onMethod(id, bytes.toString('utf8', start, end))
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

  #onMethod(number: number, text: string): void {
    const [service, name, contentType, ...more] = text.split('\0')
    if (service === undefined || name === undefined || contentType === undefined || more.length > 0)
      throw protocolError('a malformed method')
    if (number !== this.#methods.length) throw protocolError('methods are numbered from 0 on')
    if (number >= maxMethods) throw protocolError(`more than ${maxMethods} methods`)
    const received = this.#receiver.find(service, name)
    this.#methods.push({ service, name, contentType, received })
  }

  #onRequest(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id <= this.#lastId) throw protocolError(`id ${id} after ${this.#lastId}`)
    if (end - start < 12) throw protocolError('a request without its head')
    const method = this.#methods[bytes.readUInt32BE(start)]
    if (method === undefined) throw protocolError('a request for no method')
    const timeout = bytes.readUInt32BE(start + 4)
    const bodyStart = start + 12 + bytes.readUInt32BE(start + 8)
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
    const { maxCalls, maxPendingBytes, maxHeaderSize } = this.#settings
    if (this.#calls.size >= maxCalls) {
      this.#refuse(id, 'resource_exhausted', `${maxCalls} calls on one connection (maxCalls)`)
      return
    }
    if (bodyStart - start - 12 > maxHeaderSize) {
      this.#sendError(id, headersTooLarge(maxHeaderSize).with({ processed: 'no' }))
      return
    }
    let metadata: Metadata
    try {
      metadata = decodeMetadata(bytes, start + 12, bodyStart)
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
      this.#calls.set(id, call)
      this.#serveStream(call)
      return
    }
    const part = bytes.subarray(bodyStart, end)
    if (this.#pending + part.length > maxPendingBytes) {
      context.finish()
      this.#refuse(id, 'resource_exhausted', this.#tooMuchPending())
      return
    }
    this.#calls.set(id, call)
    if ((flags & moreFlag) !== 0) {
      call.partial = new PartialMessage(this.#settings.maxMessageSize)
      this.#onPart(call, part, true)
    } else if (part.length > this.#settings.maxMessageSize) {
      this.#fail(call, tooLarge('request', this.#settings.maxMessageSize).with({ processed: 'no' }))
    } else {
      this.#hold(call, part.length)
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
    if (this.#pending + part.length > this.#settings.maxPendingBytes) {
      this.#fail(
        call,
        new MicroError('resource_exhausted', this.#tooMuchPending(), { processed: 'no' }),
      )
      return
    }
    this.#hold(call, part.length)
    const body = call.partial.push(part, more)
    if (body === undefined) return
    call.partial = undefined
    if (body === 'too large') {
      this.#fail(call, tooLarge('request', this.#settings.maxMessageSize).with({ processed: 'no' }))
    } else this.#serveUnary(call, body)
  }

  #hold(call: ServerCall, bytes: number): void {
    call.size += bytes
    this.#pending += bytes
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
    if (!this.#calls.has(call.id)) return
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
    this.#end(call)
  }

  #serveStream(call: ServerCall): void {
    const limits = this.#link.limits as PeerLimits
    const stream = new TcpServerStream(this.#link, call.id, limits, this.#settings)
    call.stream = stream
    const serve = async (): Promise<void> => {
      try {
        const trailers = await this.#receiver.stream(call.head, stream, call.context, this.#peer)
        const encoded = encodeMetadata(trailers)
        if (encoded.length > limits.maxHeaderSize) {
          throw headersTooLarge(limits.maxHeaderSize).with({ processed: 'yes' })
        }
        stream.end(() => {
          this.#link.writer.frame(frameType.end, 0, call.id, Buffer.from(encoded, 'latin1'))
          this.#end(call)
        })
      } catch (error) {
        stream.end(() => this.#fail(call, error))
      }
    }
    // It handles every failure itself.
    void serve()
  }

  #fail(call: ServerCall, error: unknown): void {
    if (!this.#calls.has(call.id)) return
    this.#sendError(
      call.id,
      MicroError.is(error) ? error : new MicroError('internal', 'internal error'),
    )
    this.#end(call)
  }

  #cancel(call: ServerCall, reason: MicroError): void {
    this.#link.writer.abandon(call.id)
    call.stream?.fail(reason)
    call.context.cancel(reason)
    this.#end(call)
  }

  #end(call: ServerCall): void {
    if (!this.#calls.delete(call.id)) return
    call.context.finish()
    this.#pending -= call.size
    if (this.#calls.size === 0) this.#onIdle()
  }

  #refuse(id: number, code: 'unavailable' | 'unimplemented' | 'resource_exhausted', why: string) {
    this.#sendError(id, new MicroError(code, why, { processed: 'no' }))
  }

  #sendError(id: number, error: MicroError): void {
    let payload = encodeError(error)
    if (payload.length > maxPayload) {
      const { code, detail, processed } = error
      payload = encodeError(new MicroError(code, detail.slice(0, 8_192), { processed }))
    }
    this.#link.writer.frame(frameType.error, 0, id, payload)
  }

  #requireKnown(id: number): void {
    if (id === 0 || id > this.#lastId) throw protocolError(`data for ${id}, which is no call`)
  }

  #tooMuchPending(): string {
    return `more than ${this.#settings.maxPendingBytes} bytes of requests wait (maxPendingBytes)`
  }
}

function peerOf(socket: Socket): Peer {
  const { remoteAddress, remotePort } = socket
  const peer = {
    transport: 'tcp',
    address: remoteAddress === undefined ? 'unix' : `${remoteAddress}:${remotePort}`,
  }
  const shown = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined
  return shown === undefined ? peer : { ...peer, certificate: describeCertificate(shown) }
}
