import { once } from 'node:events'
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { unrefTimer } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { CallReceiver, Listener } from '@micro/core/transport'
import { fromListen, unavailable } from '../errors.ts'
import type { Settings } from '../options.ts'
import { isGrpcType } from '../wire/content-type.ts'
import { readHeaders } from '../wire/headers.ts'
import { watchConnection } from './connection.ts'
import { createHealth } from './health.ts'
import type { ServedCall, ServerConnection } from './incoming.ts'
import { createFinder } from './methods.ts'
import { createReflection } from './reflection.ts'
import { sendFailure } from './respond.ts'
import { rotate } from './rotate.ts'
import { StreamRequest } from './serve-stream.ts'
import { UnaryRequest } from './serve-unary.ts'

/** Milliseconds that the last answers have to leave for, once the listener is closed. */
const farewell = 100

/** Opens the port. */
export async function listen(receiver: CallReceiver, settings: Settings): Promise<Listener> {
  const sessions = new Map<ServerHttp2Session, ServerConnection>()
  const sockets = new Set<Socket>()
  const calls = new Set<ServedCall>()
  /** Of the transport's own methods: nobody waits for their end. */
  const asides = new Set<ServedCall>()
  const receiving = new Set<UnaryRequest>()
  const whenIdle: (() => void)[] = []
  let draining = false
  const health = settings.health ? createHealth(receiver, () => draining) : undefined
  const builtIn = [...(health?.targets ?? []), ...createReflection(receiver, settings)]
  const find = createFinder(receiver, builtIn, settings)

  const onStream = (stream: ServerHttp2Stream, _head: object, _flags: number, raw: string[]) => {
    // A stream that breaks says all there is to know by `close`.
    stream.on('error', () => undefined)
    const headers = readHeaders(raw)
    const { ':path': path = '', 'content-type': grpcType } = headers.known
    const connection = stream.session && sessions.get(stream.session as ServerHttp2Session)
    if (connection === undefined) return
    if (!isGrpcType(grpcType)) {
      stream.respond({ ':status': 415 }, { endStream: true })
      stream.close()
      return
    }
    const target = find(path)
    if (target === undefined || (draining && target.receiver === receiver)) {
      sendFailure(stream, grpcType, target === undefined ? unknown(path) : stopping(), settings)
      return
    }
    const answerType = grpcType.startsWith('application/grpc+') ? grpcType : toUsual(grpcType)
    const incoming = { stream, headers, target, grpcType: answerType, connection, settings }
    let call: ServedCall
    if (target.method.kind === 'unary') {
      const request = new UnaryRequest(incoming)
      receiving.add(request)
      call = request
      stream.on('close', () => receiving.delete(request))
    } else call = new StreamRequest(incoming)
    const group = target.receiver === receiver ? calls : asides
    group.add(call)
    stream.on('close', () => {
      group.delete(call)
      if (calls.size === 0) for (const wake of whenIdle.splice(0)) wake()
    })
  }

  const server = createHttp2(settings)
  server.on('stream', onStream)
  server.on('session', (session: ServerHttp2Session) => {
    sessions.set(session, watchConnection(session, settings))
    session.on('close', () => sessions.delete(session))
    // A peer that breaks the protocol loses its own connection, nothing else.
    session.on('error', () => session.destroy())
  })
  // Told of by the session itself, above.
  server.on('sessionError', () => undefined)
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
  const stopRotation =
    settings.tls === undefined ? undefined : rotate(server as Http2SecureServer, settings.tls)
  const sweep = unrefTimer(
    setInterval(() => refuseSlow(receiving, settings.requestTimeout), sweepInterval(settings)),
  )

  return {
    url: settings.advertise ?? urlOf(server.address() as AddressInfo, settings),
    async drain() {
      draining = true
      health?.drain()
      for (const session of sessions.keys()) session.close()
      if (calls.size > 0) await new Promise<void>((resolve) => whenIdle.push(resolve))
    },
    async close() {
      draining = true
      stopRotation?.()
      clearInterval(sweep)
      health?.drain()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      const open = sessions.size > 0
      const error = unavailable('the server is closing', 'unknown', 'handle')
      for (const call of [...calls, ...asides]) call.abort(error)
      for (const session of sessions.keys()) session.close()
      const late = setTimeout(
        () => {
          for (const session of sessions.keys()) session.destroy()
          for (const socket of sockets) socket.destroy()
        },
        open ? farewell : 0,
      )
      await closed
      clearTimeout(late)
    },
  }
}

function createHttp2(settings: Settings): Http2Server | Http2SecureServer {
  const { maxHeaderSize, maxStreams, maxSessionMemory, streamWindow, connectTimeout } = settings
  const options = {
    maxHeaderListPairs: 256,
    maxSessionMemory,
    // Calls that are cancelled, as by their deadlines, are no attack: Node's own limit is 33 a second.
    streamResetBurst: 10_000,
    streamResetRate: 1_000,
    settings: {
      enablePush: false,
      initialWindowSize: streamWindow,
      maxConcurrentStreams: maxStreams,
      maxHeaderListSize: maxHeaderSize,
    },
  }
  if (settings.tls === undefined) return createServer(options)
  const { cert, key, ca } = settings.tls.current()
  const trust = ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }
  const server = createSecureServer({
    ...options,
    ...trust,
    cert,
    key,
    handshakeTimeout: connectTimeout,
  })
  // A peer without a good certificate, or none that speaks TLS, loses its own connection.
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  return server
}

/** Plain `application/grpc` is answered as it came. */
function toUsual(grpcType: string): string {
  const end = grpcType.indexOf(';')
  return end < 0 ? grpcType : grpcType.slice(0, end)
}

function sweepInterval({ requestTimeout }: Settings): number {
  return Math.min(1_000, requestTimeout)
}

/** A request that comes byte by byte must not hold its memory for ever. */
function refuseSlow(receiving: ReadonlySet<UnaryRequest>, timeout: number): void {
  const before = performance.now() - timeout
  for (const request of receiving) {
    if (request.receivingSince === undefined || request.receivingSince > before) continue
    request.abort(
      new MicroError('deadline_exceeded', `not all of the request came in ${timeout} ms`, {
        processed: 'no',
      }),
    )
  }
}

function unknown(path: string): MicroError {
  return new MicroError(
    'unimplemented',
    `unknown method ${path.slice(0, 200)}: the path is /<service>/<method>`,
    { processed: 'no' },
  )
}

function stopping(): MicroError {
  return new MicroError('unavailable', 'the server is stopping', { processed: 'no' })
}

function urlOf({ address, port, family }: AddressInfo, settings: Settings): string {
  const host = family === 'IPv6' ? `[${address}]` : address
  return `${settings.tls === undefined ? 'grpc' : 'grpcs'}://${host}:${port}`
}
