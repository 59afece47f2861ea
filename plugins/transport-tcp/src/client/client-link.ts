import { connect as connectNet, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { IdTable } from '@micro/core/component'
import type { Context } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import type { TlsMaterial } from '@micro/core/identity'
import type { CallHead } from '@micro/core/transport'
import { fromSocket, headersTooLarge, protocolError } from '../errors.ts'
import type { Address, Settings } from '../options.ts'
import { frameType, maxId, noTimeout } from '../wire/frame.ts'
import { Link, type PeerLimits } from '../wire/link.ts'
import { encodeMetadata } from '../wire/metadata-block.ts'
import type { ClientCall } from './client-call.ts'

const maxMethods = 4_096
const nothing = new Uint8Array()

/** One socket to a server and the calls on it. */
export class ClientLink {
  readonly settings: Settings
  /** What it has shown the server. */
  readonly material: TlsMaterial | undefined
  /** What the server takes; there once `ready` has resolved. */
  limits!: PeerLimits
  /** Resolves once calls can be made; rejects as the connection does. */
  readonly ready: Promise<ClientLink>
  /** No new calls: the server has said go-away, ids or methods are used up, or it has closed. */
  retired = false
  readonly #address: string
  readonly #link: Link
  readonly #calls = new IdTable<ClientCall>()
  readonly #methods = new Map<string, Map<string, Map<string, number>>>()
  readonly #waiting: (() => void)[] = []
  readonly #idle: (() => void)[] = []
  #methodCount = 0
  #lastId = 0

  constructor(address: Address, settings: Settings, onClose: (link: ClientLink) => void) {
    this.settings = settings
    this.#address = 'path' in address ? address.path : `${address.host}:${address.port}`
    const opened = Promise.withResolvers<ClientLink>()
    this.ready = opened.promise
    // Who calls is told; without calls nobody need be.
    this.ready.catch(() => undefined)
    this.material = settings.tls?.current()
    const socket = open(address, this.material)
    const timer = setTimeout(() => {
      const { connectTimeout } = settings
      this.#link.destroy(new Error(`no handshake within ${connectTimeout} ms (connectTimeout)`))
    }, settings.connectTimeout)
    this.#link = new Link(socket, settings, {
      onHello: () => {
        clearTimeout(timer)
        this.limits = this.#link.limits as PeerLimits
        this.#rest()
        opened.resolve(this)
      },
      onFrame: (type, flags, id, bytes, start, end) =>
        this.#onFrame(type, flags, id, bytes, start, end),
      onGoAway: (lastId, reason) => this.#onGoAway(lastId, reason),
      onClose: (error) => {
        clearTimeout(timer)
        this.retired = true
        opened.reject(this.#broken(error, 'connect', 'no'))
        onClose(this)
        for (const call of this.#calls.all()) {
          const sent = call.id <= this.#link.writer.flushedId
          call.fail(this.#broken(error, 'wait', sent ? 'unknown' : 'no'))
        }
        this.#wakeAll()
        this.#whenIdle()
      },
    })
  }

  get writer(): Link['writer'] {
    return this.#link.writer
  }

  get lastReceived(): number {
    return this.#link.lastReceived
  }

  /** Whether one more call can be made: there are not too many, and the server reads what is sent. */
  get hasRoom(): boolean {
    return (
      this.#calls.size < this.limits.maxCalls &&
      this.#link.writer.buffered <= this.settings.maxBufferedBytes
    )
  }

  /** Resolves when there may be room. */
  room(): Promise<void> {
    if (this.#calls.size < this.limits.maxCalls) this.#link.writer.onRoom(this.#wakeAll)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /**
   * Sends the head of a call, and its body if it has one. Returns its id.
   *
   * @throws why the call is over before it begins; nothing is sent then.
   */
  begin(head: CallHead, body: Uint8Array | undefined, context: Context): number {
    const timeout = timeoutOf(context)
    const metadata = encodeMetadata(head.metadata)
    const { maxHeaderSize } = this.limits
    if (metadata.length > maxHeaderSize) {
      throw headersTooLarge(maxHeaderSize).with({ processed: 'no' })
    }
    const { writer } = this.#link
    const method = this.#methodOf(head)
    this.#lastId += 1
    const id = this.#lastId
    // The last numbers are left for methods and calls that are under way.
    if (id >= maxId - 1 || this.#methodCount >= maxMethods) this.retired = true
    writer.request(id, method, timeout, metadata, body ?? nothing)
    return id
  }

  add(call: ClientCall): void {
    if (this.#calls.size === 0) this.#link.socket.ref()
    this.#calls.add(call)
  }

  forget(id: number): void {
    if (!this.#calls.delete(id)) return
    this.#waiting.shift()?.()
    if (this.#calls.size > 0) return
    this.#rest()
    if (this.#idle.length > 0 || this.retired) this.#whenIdle()
  }

  /** Tells the server that nobody waits for the call any more. */
  cancel(id: number): void {
    if (this.#link.closed) return
    const { writer } = this.#link
    writer.abandon(id)
    writer.frame(frameType.cancel, 0, id)
  }

  ping(): Promise<void> {
    return this.#link.ping()
  }

  /** Rejects once the link has closed. */
  whenClosed(reject: (error: MicroError) => void): () => void {
    const { socket } = this.#link
    const listener = (): void => reject(this.#broken(new Error('closed'), 'wait', 'no'))
    socket.once('close', listener)
    return () => socket.off('close', listener)
  }

  /** Resolves when no call is running, and closes then. */
  async drain(): Promise<void> {
    this.retired = true
    if (this.#calls.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
    this.#link.end(new Error('closed by this side'))
  }

  close(): void {
    this.#link.end(new Error('closed by this side'))
  }

  /** Ends the connection to a peer that broke the protocol. */
  abort(error: unknown): void {
    this.#link.end(error)
  }

  readonly #wakeAll = (): void => {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  #whenIdle(): void {
    const idle = this.#idle.splice(0)
    for (const resolve of idle) resolve()
    if (this.retired && !this.#link.closed) this.#link.end(new Error('all calls have ended'))
  }

  /** An idle connection does not keep the process. */
  #rest(): void {
    if (this.#calls.size === 0) this.#link.socket.unref()
  }

  #methodOf({ service, method, contentType }: CallHead): number {
    const types = this.#methods.get(service)?.get(method)
    return types?.get(contentType) ?? this.#define(service, method, contentType)
  }

  #define(service: string, method: string, contentType: string): number {
    const number = this.#methodCount
    this.#methodCount += 1
    const methods = this.#methods.get(service) ?? new Map<string, Map<string, number>>()
    const types = methods.get(method) ?? new Map<string, number>()
    this.#methods.set(service, methods.set(method, types.set(contentType, number)))
    const payload = Buffer.from(`${service}\0${method}\0${contentType}`)
    this.#link.writer.frame(frameType.method, 0, number, payload)
    return number
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
    if (call !== undefined) call.receive(type, flags, bytes, start, end)
    // What crossed our cancel is for nobody.
    else if (id === 0 || id > this.#lastId) throw protocolError(`frame ${type} for no call`)
  }

  #onGoAway(lastId: number, reason: string): void {
    this.retired = true
    for (const call of this.#calls.all()) {
      if (call.id <= lastId) continue
      call.fail(
        new MicroError('unavailable', `${this.#address} takes no more calls: ${reason}`, {
          processed: 'no',
        }),
      )
    }
    this.#wakeAll()
    if (this.#calls.size === 0) this.#whenIdle()
  }

  #broken(error: unknown, phase: 'connect' | 'wait', processed: 'no' | 'unknown'): MicroError {
    const cause = MicroError.is(error) ? new Error(error.detail, { cause: error }) : error
    return fromSocket(cause, this.#address, phase, processed)
  }
}

/** Milliseconds that are left. @throws why the call is over. */
function timeoutOf(context: Context): number {
  const remaining = context.requireTime()
  if (remaining === Number.POSITIVE_INFINITY) return noTimeout
  return Math.min(Math.ceil(remaining), noTimeout - 1)
}

function open(address: Address, material: TlsMaterial | undefined): Socket {
  if (material === undefined) return connectNet(address)
  const { cert, key, ca } = material
  const trust = ca === undefined ? {} : { ca }
  return connectTls({ ...address, cert, key, ...trust })
}
