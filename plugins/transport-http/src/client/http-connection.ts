import type { Context } from '@micro/core/context'
import type { CallHead, ClientStream, Connection, Reply } from '@micro/core/transport'
import { buildConnector, Pool } from 'undici'
import { compress } from '../compression.ts'
import { tooLarge } from '../errors.ts'
import type { Settings } from '../options.ts'
import { createClientStream } from './client-stream.ts'
import { openHttp1, openHttp2 } from './exchange.ts'
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
  readonly #sessions: SessionHolder
  #pool: Pool | undefined
  readonly #paths = new Map<string, string>()

  constructor(url: string, settings: Settings) {
    const { origin, host, pathname } = new URL(url)
    this.#origin = origin
    this.#address = host
    this.#prefix = pathname === '/' ? '' : pathname.replace(/\/$/, '')
    this.#settings = settings
    this.#sessions = createSessionHolder(origin, settings)
  }

  unary(head: CallHead, body: Uint8Array, context: Context): Promise<Reply> {
    const { maxMessageSize, compressFrom } = this.#settings
    if (body.length > maxMessageSize)
      return Promise.reject(tooLarge(maxMessageSize, 'request').with({ processed: 'no' }))
    if (compressFrom === false || body.length < compressFrom)
      return this.#call(head, body, undefined, context)
    return compress(body).then((data) => this.#call(head, data, 'gzip', context))
  }

  stream(head: CallHead, context: Context): ClientStream {
    const path = this.#path(head)
    const headers = streamHeaders(head, context, this.#settings.compressFrom !== false)
    const open =
      this.#settings.protocol === 'http1'
        ? () => openHttp1(this.#origin, this.#settings, path, headers)
        : () => openHttp2(this.#sessions, this.#address, path, headers)
    return createClientStream(head, context, this.#settings, open, () => this.#sessions.lastPing)
  }

  async ping(context: Context): Promise<void> {
    const removeListeners: (() => void)[] = []
    const cancelled = new Promise<never>((_resolve, reject) =>
      removeListeners.push(context.onCancel(reject)),
    )
    try {
      const answer = this.#http1().request({
        method: 'GET',
        path: `${this.#prefix}/livez`,
        signal: context.signal,
      })
      const { body } = await Promise.race([answer, cancelled])
      await body.dump()
    } finally {
      for (const remove of removeListeners) remove()
    }
  }

  async drain(): Promise<void> {
    await Promise.all([this.#pool?.close(), this.#sessions.drain()])
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool?.destroy(), this.#sessions.close()])
  }

  #call(
    head: CallHead,
    body: Uint8Array,
    encoding: string | undefined,
    context: Context,
  ): Promise<Reply> {
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
      // Deadlines are the context's; the pool's own clocks would only cost.
      headersTimeout: 0,
      bodyTimeout: 0,
      // Asked for each socket, so that new ones have the newest certificates.
      connect: (target, callback) =>
        buildConnector({ timeout: connectTimeout, ...tls?.current() })(target, callback),
    })
    return this.#pool
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

/** Source: connectrpc.com/docs/protocol, "Unary-Get-Request". */
function getQuery(head: CallHead, body: Uint8Array): string {
  const encoding = head.contentType.slice(head.contentType.indexOf('/') + 1)
  const message = Buffer.from(body).toString('base64url')
  return `connect=v1&encoding=${encodeURIComponent(encoding)}&base64=1&message=${message}`
}
