import type { Awaitable } from '@micro/core/component'
import type { Context } from '@micro/core/context'
import type { MicroError } from '@micro/core/errors'
import type { CallHead, ClientStream, Connection, Reply } from '@micro/core/transport'
import { tooLarge, unavailable } from '../errors.ts'
import type { Address, Settings } from '../options.ts'
import { writeFrame } from '../wire/frame-parser.ts'
import { compress } from '../wire/gzip.ts'
import { GrpcClientStream } from './client-stream.ts'
import { ping } from './ping.ts'
import { requestHeaders } from './request-headers.ts'
import { Session } from './session.ts'
import { UnaryCall } from './unary-call.ts'

/** Calls to one server over one HTTP/2 connection, made when needed and again after it has ended. */
export class GrpcConnection implements Connection {
  readonly #address: Address
  readonly #settings: Settings
  readonly #gzip: boolean
  readonly #paths = new Map<string, Map<string, string>>()
  #session: Session | undefined
  /** That one, and those whose last calls are still running. */
  readonly #sessions = new Set<Session>()
  /** Why no more calls are made. */
  #refusal: string | undefined

  constructor(address: Address, settings: Settings) {
    this.#address = address
    this.#settings = settings
    this.#gzip = settings.compressFrom !== false
  }

  unary(head: CallHead, body: Uint8Array, context: Context): Promise<Reply> {
    const { maxMessageSize, compressFrom } = this.#settings
    if (body.length > maxMessageSize) {
      throw tooLarge('request', maxMessageSize).with({ processed: 'no' })
    }
    context.requireTime()
    if (compressFrom === false || body.length < compressFrom) {
      return this.#call(head, writeFrame(body, false), context)
    }
    return compress(body).then((data) => this.#call(head, writeFrame(data, true), context))
  }

  stream(head: CallHead, context: Context): ClientStream {
    const headers = () => requestHeaders(head, this.#path(head), context, this.#gzip)
    return new GrpcClientStream(context, this.#settings, headers, (start) =>
      this.#use(context, start),
    )
  }

  async ping(context: Context): Promise<void> {
    await this.#use(context, (session) => ping(session, context))
  }

  async drain(): Promise<void> {
    this.#refusal ??= 'is draining'
    await Promise.all([...this.#sessions].map((session) => session.drain()))
  }

  async close(): Promise<void> {
    this.#refusal = 'has been closed'
    for (const session of this.#sessions) {
      session.close(
        unavailable(`the connection to ${session.address} was closed`, 'unknown', 'wait'),
      )
    }
  }

  #call(head: CallHead, frame: Buffer, context: Context): Promise<Reply> {
    const call = (session: Session): Promise<Reply> =>
      new Promise((resolve, reject) => {
        const headers = requestHeaders(head, this.#path(head), context, this.#gzip)
        new UnaryCall(session, this.#settings, headers, frame, context, resolve, reject)
      })
    return this.#use(context, call) as Promise<Reply>
  }

  /** The session, if calls can be made on it now. */
  #ready(): Session | undefined {
    if (this.#refusal !== undefined) throw this.#refuse(this.#refusal)
    const session = this.#session
    if (session === undefined) return undefined
    if (session.retired) this.#session = undefined
    else if (session.material !== this.#settings.tls?.current()) {
      // New calls show the new certificate; those under way end where they are.
      this.#session = undefined
      void session.drain()
    } else if (session.isReady) return session
    return undefined
  }

  /** Runs `run` with a session that takes calls, at once where there is one. */
  #use<T>(context: Context, run: (session: Session) => T): T | Promise<Awaited<T>> {
    context.requireTime()
    const session = this.#ready()
    return session === undefined ? this.#useLater(context, run) : run(session)
  }

  async #useLater<T>(context: Context, run: (session: Session) => T): Promise<Awaited<T>> {
    const session = this.#ready() ?? this.#dial()
    await untilCancelled(context, session.ready)
    context.requireTime()
    // Not by `#ready`: what waited for this one may use it even if the certificate has changed since.
    if (this.#refusal !== undefined) throw this.#refuse(this.#refusal)
    if (session.retired) throw this.#refuse('takes no more calls')
    return await run(session)
  }

  #dial(): Session {
    if (this.#session !== undefined) return this.#session
    const session = new Session(this.#address, this.#settings, {
      onRetire: () => {
        if (this.#session === session) this.#session = undefined
      },
      onEnd: () => this.#sessions.delete(session),
    })
    this.#session = session
    this.#sessions.add(session)
    return session
  }

  #refuse(why: string): MicroError {
    return unavailable(
      `the connection to ${this.#address.host}:${this.#address.port} ${why}`,
      'no',
      'connect',
    )
  }

  #path({ service, method }: CallHead): string {
    let paths = this.#paths.get(service)
    if (paths === undefined) {
      paths = new Map()
      this.#paths.set(service, paths)
    }
    let path = paths.get(method)
    if (path === undefined) {
      path = `/${service}/${method}`
      paths.set(method, path)
    }
    return path
  }
}

/** Waits for shared work; rejects with the context's reason once that is cancelled. */
function untilCancelled(context: Context, work: Promise<void>): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const removeListener = context.onCancel(reject)
    const settle = (done: () => Awaitable<void>) => (): void => {
      removeListener()
      void done()
    }
    work.then(settle(resolve), (error: unknown) => settle(() => reject(error))())
  })
}
