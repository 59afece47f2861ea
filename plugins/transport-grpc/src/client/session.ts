import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
} from 'node:http2'
import { isIP, type Socket } from 'node:net'
import { unrefTimer } from '@micro/core/component'
import type { TlsMaterial } from '@micro/core/identity'
import { fromClosedStream, fromRequest, unavailable } from '../errors.ts'
import type { Address, Settings } from '../options.ts'
import { probeHeaders } from '../wire/health-messages.ts'

/** What its owner is told. */
export interface SessionHooks {
  /** It takes no more calls. */
  readonly onRetire: () => void
  readonly onEnd: () => void
}

/** A call that runs on a session, as far as the session needs to know it. */
export interface RunningCall {
  fail(error: unknown): void
}

/** One HTTP/2 connection to a server, from its dial to its end. */
export class Session {
  /** What it has shown the server. */
  readonly material: TlsMaterial | undefined
  readonly address: string
  /** Resolves when calls can be made; rejects with `unavailable`, not processed, if it comes to nothing. */
  readonly ready: Promise<void>
  isReady = false
  readonly #settings: Settings
  readonly #session: ClientHttp2Session
  readonly #calls = new Set<RunningCall>()
  readonly #whenIdle: (() => void)[] = []
  #socket: Socket | undefined
  #cause: unknown
  /** Told by the server's go-away: what came after it is not seen. */
  #lastId: number = Number.POSITIVE_INFINITY
  /** Taken no more calls, by our will or the server's. */
  #retired = false
  #bytes = 0
  #lastReceived = performance.now()
  /** A call has begun since the server was last heard of. */
  #waiting = false
  #probing = false

  constructor({ host, port, secure }: Address, settings: Settings, hooks: SessionHooks) {
    this.#settings = settings
    const name = host.includes(':') ? `[${host}]` : host
    this.address = `${name}:${port}`
    this.material = settings.tls?.current()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.ready = promise
    const { maxSessionMemory, streamWindow, connectTimeout, pingInterval } = settings
    const session = connect(`${secure ? 'https' : 'http'}://${this.address}`, {
      ...this.material,
      // No name is sent for an address; the certificate is checked for it all the same.
      ...(secure && isIP(host) === 0 ? { servername: host } : {}),
      maxSessionMemory,
      // Not the connection's window: Node reads nothing while it writes, so that two sides which write more
      // than their sockets hold would wait for each other for ever.
      settings: { enablePush: false, initialWindowSize: streamWindow },
    })
    this.#session = session
    const end = (): void => {
      clearTimeout(late)
      clearInterval(watch)
      this.#retired = true
      hooks.onRetire()
      hooks.onEnd()
      reject(unavailable(`cannot connect to ${this.address}`, 'no', 'connect', this.#cause))
      setImmediate(() => this.#abandon())
    }
    const late = setTimeout(() => {
      this.#cause ??= new Error(`not within ${connectTimeout} ms (connectTimeout)`)
      session.destroy()
      end()
    }, connectTimeout)
    const watch = unrefTimer(setInterval(() => this.#watch(), pingInterval))
    session.on('connect', (_session, socket) => {
      this.#socket = socket as Socket
      // Of a server that refuses the client's certificate, the session itself says nothing.
      socket.on('error', (error) => {
        this.#cause ??= error
        session.destroy()
        end()
      })
      socket.on('close', end)
    })
    // A server that has said this much speaks HTTP/2; before, nothing is written that could be lost.
    session.once('remoteSettings', () => {
      clearTimeout(late)
      this.isReady = true
      if (this.#calls.size === 0) session.unref()
      resolve()
    })
    session.on('error', (error) => {
      this.#cause ??= error
    })
    session.on('goaway', (_code, lastId) => {
      this.#lastId = lastId
      this.#retired = true
      hooks.onRetire()
    })
    session.on('close', end)
    // Told to the calls that wait for it.
    promise.catch(() => undefined)
  }

  /** Whether it takes no more calls. */
  get retired(): boolean {
    return this.#retired || this.#session.closed || this.#session.destroyed
  }

  /** `performance.now()` of the last sign of life, of any call or of none. */
  get lastReceived(): number {
    const bytes = this.#socket?.bytesRead ?? 0
    if (bytes !== this.#bytes) {
      this.#bytes = bytes
      this.#lastReceived = performance.now()
      this.#waiting = false
    }
    return this.#lastReceived
  }

  /** Opens a stream. @throws what `fromRequest` makes; nothing has been sent then. */
  open(headers: OutgoingHttpHeaders): ClientHttp2Stream {
    try {
      return this.#session.request(headers, { endStream: false })
    } catch (error) {
      throw fromRequest(error, this.address)
    }
  }

  /** Keeps the process alive while calls run; an idle session does not. */
  add(call: RunningCall): void {
    this.#waiting = true
    this.#calls.add(call)
    if (this.#calls.size === 1) this.#session.ref()
  }

  forget(call: RunningCall): void {
    if (!this.#calls.delete(call) || this.#calls.size > 0) return
    if (!this.#session.destroyed && this.isReady) this.#session.unref()
    for (const wake of this.#whenIdle.splice(0)) wake()
  }

  /** What a stream that closed without a status says. */
  explain(stream: ClientHttp2Stream, cause: unknown): Error {
    const { id, rstCode } = stream
    const broken = this.#session.destroyed || this.#socket?.destroyed === true
    return fromClosedStream({
      address: this.address,
      rstCode,
      sent: id !== undefined,
      leftOut: id !== undefined && id > this.#lastId,
      broken,
      cause: this.#cause ?? cause,
    })
  }

  /** No new calls; resolves when the running ones have ended. */
  async drain(): Promise<void> {
    this.#retired = true
    if (this.#calls.size > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve))
    this.#session.close()
  }

  /** Ends the running calls with `error`. */
  close(error: unknown): void {
    this.#retired = true
    this.#cause ??= error
    for (const call of [...this.#calls]) call.fail(error)
    this.#session.close()
    // Gives the resets of the calls time to leave; a server that does not take them is left.
    unrefTimer(setTimeout(() => this.#session.destroy(), 100))
  }

  /** Calls whose streams have not told of the connection's end by now. */
  #abandon(): void {
    const error = unavailable(
      `the connection to ${this.address} broke`,
      'unknown',
      'wait',
      this.#cause,
    )
    for (const call of [...this.#calls]) call.fail(error)
  }

  /**
   * Asks a silent server for a sign of life while calls wait for it. By a call: PING frames more often than
   * a foreign server likes end the connection (`too_many_pings`), and it says nothing of the application.
   */
  #watch(): void {
    const { pingInterval, pingTimeout } = this.#settings
    const silence = performance.now() - this.lastReceived
    const unanswered = this.#calls.size > 0 || this.#waiting
    // A draining connection takes no more calls, and ends with those that it has.
    if (this.retired || this.#probing || !unanswered || silence < pingInterval * 0.9) return
    this.#probing = true
    const stream = this.#session.request(probeHeaders(this.address), { endStream: true })
    const late = unrefTimer(
      setTimeout(() => {
        // It may have been heard of in another way.
        if (performance.now() - this.lastReceived < pingTimeout) stream.close()
        else this.#session.destroy(new Error(`no sign of life in ${pingTimeout} ms (pingTimeout)`))
      }, pingTimeout),
    )
    stream.on('error', () => undefined)
    stream.on('close', () => {
      clearTimeout(late)
      this.#probing = false
    })
    stream.resume()
  }
}
