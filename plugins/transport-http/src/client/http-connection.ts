import { once } from 'node:events'
import type { Context } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import type { TlsMaterial } from '@micro/core/identity'
import type { CallHead, ClientStream, Connection, Reply } from '@micro/core/transport'
import { buildConnector, Pool } from 'undici'
import { compress } from '../compression.ts'
import { fromTransport, tooLarge } from '../errors.ts'
import type { Settings } from '../options.ts'
import { createClientStream } from './client-stream.ts'
import { type Exchange, openHttp1, openHttp2 } from './exchange.ts'
import { callHttp1 } from './http1-unary.ts'
import { createSessionHolder, type SessionHolder } from './http2-session.ts'
import { callHttp2 } from './http2-unary.ts'
import { streamHeaders } from './request-headers.ts'

/** Calls to one endpoint: a pool of HTTP/1.1 sockets and one HTTP/2 connection, each made on demand. */
export class HttpConnection implements Connection {
  readonly #origin: string
  readonly #prefix: string
  readonly #address: string
  readonly #settings: Settings
  #sessions: SessionHolder
  /** What new sockets show the server. */
  #material: TlsMaterial | undefined
  /** Those that showed an older certificate, until their calls have ended. */
  readonly #ending = new Set<{
    readonly pool: Pool | undefined
    readonly sessions: SessionHolder
  }>()
  /** Of the streams that are open. */
  readonly #exchanges = new Set<Exchange>()
  #pool: Pool | undefined
  #draining: Promise<void> | undefined
  #closing: Promise<void> | undefined
  readonly #paths = new Map<string, string>()

  constructor(url: string, settings: Settings) {
    const { origin, host, pathname } = new URL(url)
    this.#origin = origin
    this.#address = host
    this.#prefix = pathname === '/' ? '' : pathname.replace(/\/$/, '')
    this.#settings = settings
    this.#sessions = createSessionHolder(origin, settings)
  }

  async unary(head: CallHead, body: Uint8Array, context: Context): Promise<Reply> {
    context.requireTime()
    const { maxMessageSize, compressFrom } = this.#settings
    if (body.length > maxMessageSize)
      throw tooLarge(maxMessageSize, 'request').with({ processed: 'no' })
    if (compressFrom === false || body.length < compressFrom)
      return this.#call(head, body, undefined, context)
    return this.#call(head, await compress(body), 'gzip', context)
  }

  stream(head: CallHead, context: Context): ClientStream {
    const path = this.#path(head)
    const headers = streamHeaders(head, context, this.#settings.compressFrom !== false)
    const open = async (): Promise<Exchange> => {
      this.#requireOpen()
      this.#showNewest()
      const exchange =
        this.#settings.protocol === 'http1'
          ? openHttp1(this.#origin, this.#settings, path, headers)
          : await openHttp2(this.#sessions, this.#address, path, headers)
      this.#exchanges.add(exchange)
      exchange.request.on('close', () => this.#exchanges.delete(exchange))
      return exchange
    }
    return createClientStream(head, context, this.#settings, open, () => this.#sessions.lastPing)
  }

  async ping(context: Context): Promise<void> {
    context.requireTime()
    this.#requireOpen()
    this.#showNewest()
    try {
      const { body } = await this.#http1().request({
        method: 'GET',
        path: `${this.#prefix}/livez`,
        signal: context.signal,
      })
      await body.dump()
    } catch (error) {
      context.throwIfCancelled()
      throw fromTransport(error, this.#address, false)
    }
  }

  drain(): Promise<void> {
    this.#draining ??= this.#drain()
    return this.#draining
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    // Whoever drains waits for nothing any more.
    this.#draining ??= this.#closing
    return this.#closing
  }

  async #drain(): Promise<void> {
    const streams = [...this.#exchanges].map(({ request }) => once(request, 'close'))
    const all = [{ pool: this.#pool, sessions: this.#sessions }, ...this.#ending]
    await Promise.allSettled([...all.map(drainSockets), ...streams])
  }

  async #close(): Promise<void> {
    for (const exchange of this.#exchanges) exchange.abort()
    const all = [{ pool: this.#pool, sessions: this.#sessions }, ...this.#ending]
    await Promise.all(all.flatMap(({ pool, sessions }) => [pool?.destroy(), sessions.close()]))
  }

  /** @throws `unavailable`, not processed, once it drains. */
  #requireOpen(): void {
    if (this.#draining === undefined) return
    throw new MicroError('unavailable', `the connection to ${this.#address} has been closed`, {
      processed: 'no',
      origin: { side: 'client', phase: 'connect' },
    })
  }

  #call(
    head: CallHead,
    body: Uint8Array,
    encoding: string | undefined,
    context: Context,
  ): Promise<Reply> {
    // Here, as compressing takes a while.
    this.#requireOpen()
    this.#showNewest()
    const path = this.#path(head)
    if (this.#settings.protocol === 'http2') {
      return callHttp2({
        sessions: this.#sessions,
        address: this.#address,
        settings: this.#settings,
        head,
        path,
        body,
        encoding,
        context,
      })
    }
    const get =
      this.#settings.useGet && head.idempotency === 'no_side_effects' && encoding === undefined
    return callHttp1({
      pool: this.#http1(),
      address: this.#address,
      head,
      method: get ? 'GET' : 'POST',
      path: get ? `${path}?${getQuery(head, body)}` : path,
      body: get ? null : body,
      encoding,
      context,
      maxMessageSize: this.#settings.maxMessageSize,
    })
  }

  #http1(): Pool {
    const { connections, connectTimeout, maxHeaderSize, tls } = this.#settings
    this.#pool ??= new Pool(this.#origin, {
      connections,
      maxHeaderSize,
      // Over TLS undici would speak its own HTTP/2.
      allowH2: false,
      // Deadlines are the context's; the pool's own clocks would only cost.
      headersTimeout: 0,
      bodyTimeout: 0,
      // Asked for each socket, so that new ones have the newest certificates.
      connect: (target, callback) =>
        buildConnector({ timeout: connectTimeout, allowH2: false, ...tls?.current() })(
          target,
          callback,
        ),
    })
    return this.#pool
  }

  /** New calls show the newest certificate; those under way end where they are. */
  #showNewest(): void {
    const { tls } = this.#settings
    if (tls === undefined) return
    const material = tls.current()
    if (material === this.#material) return
    const isFirst = this.#material === undefined
    this.#material = material
    if (isFirst) return
    const old = { pool: this.#pool, sessions: this.#sessions }
    this.#pool = undefined
    this.#sessions = createSessionHolder(this.#origin, this.#settings)
    this.#ending.add(old)
    // It settles in any case.
    void drainSockets(old).finally(() => this.#ending.delete(old))
  }

  #path(head: CallHead): string {
    const key = `${head.service}/${head.method}`
    let path = this.#paths.get(key)
    if (path === undefined) {
      path = `${this.#prefix}/${key}`
      this.#paths.set(key, path)
    }
    return path
  }
}

async function drainSockets({
  pool,
  sessions,
}: {
  readonly pool: Pool | undefined
  readonly sessions: SessionHolder
}): Promise<void> {
  await Promise.allSettled([pool?.close(), sessions.drain()])
}

/** Source: connectrpc.com/docs/protocol, "Unary-Get-Request". */
function getQuery(head: CallHead, body: Uint8Array): string {
  const encoding = head.contentType.slice(head.contentType.indexOf('/') + 1)
  const message = Buffer.from(body).toString('base64url')
  return `connect=v1&encoding=${encodeURIComponent(encoding)}&base64=1&message=${message}`
}
