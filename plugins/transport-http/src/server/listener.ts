import { once } from 'node:events'
import { createServer as createHttp1, type Server as Http1Server } from 'node:http'
import {
  createServer as createHttp2,
  createSecureServer,
  type Http2Server,
  type ServerHttp2Session,
} from 'node:http2'
import {
  type AddressInfo,
  createServer as createNet,
  type Server as NetServer,
  type Socket,
} from 'node:net'
import type { CallReceiver, Listener } from '@micro/core/transport'
import { fromListen } from '../errors.ts'
import type { Settings } from '../options.ts'
import { createRequestHandler } from './handle-request.ts'

/** Opens the port, for HTTP/1.1 and HTTP/2 at once. */
export async function listen(receiver: CallReceiver, settings: Settings): Promise<Listener> {
  const running = new Set<Promise<void>>()
  const sessions = new Set<ServerHttp2Session>()
  const sockets = new Set<Socket>()
  let draining = false
  const handle = createRequestHandler(receiver, settings, () => draining)
  const onRequest = (...[request, response]: Parameters<typeof handle>): void => {
    // `handle` answers every failure itself.
    const work = handle(request, response).finally(() => running.delete(work))
    running.add(work)
  }
  const onSession = (session: ServerHttp2Session): void => {
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
    // A peer that breaks the protocol loses its own connection, nothing else.
    session.on('error', () => session.destroy())
  }

  const { http1, http2 } = createServers(settings)
  http1.on('request', onRequest)
  // It is handed its sockets and never listens, yet this starts the clocks of half-sent requests.
  http1.emit('listening')
  http2.on('request', onRequest)
  http2.on('session', onSession)
  // Told of by the session itself, above.
  http2.on('sessionError', () => undefined)
  const server: NetServer =
    settings.tls === undefined
      ? createNet((socket) => route(socket, http1, http2, settings))
      : http2
  server.maxConnections = settings.maxConnections
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
  })

  const { host, port } = settings
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (error) {
    throw fromListen(error, `${host}:${port}`)
  }
  // Accepting one socket failed, for want of file handles say: the others go on.
  server.on('error', () => undefined)
  const stopRotation = settings.tls === undefined ? undefined : rotate(http2, settings)

  return {
    url: settings.advertise ?? urlOf(server.address() as AddressInfo, settings),
    async drain() {
      draining = true
      for (const session of sessions) session.close()
      // New requests only get refusals now, so this ends.
      while (running.size > 0) await Promise.allSettled(running)
    },
    async close() {
      draining = true
      stopRotation?.()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const session of sessions) session.destroy()
      http1.closeAllConnections()
      // Stops those clocks; it says that it was not listening, which is so.
      http1.close(() => undefined)
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

function createServers(settings: Settings): { http1: Http1Server; http2: Http2Server } {
  const { maxHeaderSize, headersTimeout, requestTimeout, keepAliveTimeout, maxStreams, tls } =
    settings
  const http1 = createHttp1({
    maxHeaderSize,
    headersTimeout: Math.min(headersTimeout, requestTimeout),
    requestTimeout,
    keepAliveTimeout,
    connectionsCheckingInterval: Math.min(1_000, headersTimeout),
    noDelay: true,
  })
  const options = {
    maxHeaderListPairs: 256,
    settings: {
      maxConcurrentStreams: maxStreams,
      maxHeaderListSize: maxHeaderSize,
      initialWindowSize: 1 << 20,
      enablePush: false,
    },
    maxSessionMemory: 64,
  }
  if (tls === undefined) return { http1, http2: createHttp2(options) }
  const { cert, key, ca } = tls.current()
  const trust = ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }
  const secure = createSecureServer({ ...options, ...trust, cert, key, allowHTTP1: true })
  return { http1, http2: secure as unknown as Http2Server }
}

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/** Tells HTTP/2 from HTTP/1.1 by the first bytes, which may come one by one. */
function route(socket: Socket, http1: Http1Server, http2: Http2Server, settings: Settings): void {
  let seen: Buffer = Buffer.alloc(0)
  // A socket that says nothing is no one's until now; the servers' own limits begin after this.
  const timer = setTimeout(() => socket.destroy(), settings.headersTimeout)
  const onReadable = (): void => {
    const chunk = socket.read() as Buffer | null
    if (chunk === null) return
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk])
    const length = Math.min(seen.length, preface.length)
    const same = preface.subarray(0, length).equals(seen.subarray(0, length))
    if (same && length < preface.length) return
    clearTimeout(timer)
    socket.off('readable', onReadable)
    socket.unshift(seen)
    if (same) http2.emit('connection', socket)
    else http1.emit('connection', socket)
  }
  socket.on('readable', onReadable)
  socket.on('close', () => clearTimeout(timer))
}

/** Follows the source's changes: new connections get the newest material. */
function rotate(server: Http2Server, settings: Settings): () => void {
  const changes = settings.tls?.watch()[Symbol.asyncIterator]()
  const follow = async (): Promise<void> => {
    for (
      let step = await changes?.next();
      step !== undefined && step.done !== true;
      step = await changes?.next()
    ) {
      const { cert, key, ca } = step.value
      ;(server as unknown as { setSecureContext(options: object): void }).setSecureContext({
        cert,
        key,
        ca,
      })
    }
  }
  // A source that fails leaves the last good material in place; it reports its own health.
  follow().catch(() => undefined)
  return () => void changes?.return?.()
}

function urlOf({ address, port, family }: AddressInfo, settings: Settings): string {
  const host = family === 'IPv6' ? `[${address}]` : address
  return `${settings.tls === undefined ? 'http' : 'https'}://${host}:${port}`
}
