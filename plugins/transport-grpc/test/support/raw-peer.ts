import { once } from 'node:events'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import {
  type AddressInfo,
  connect as connectNet,
  createServer as createNet,
  type Socket,
} from 'node:net'
import { afterwards } from './closing.ts'

/** A client that speaks HTTP/2 and sends what it is told to. */
export async function rawClient(url: string): Promise<ClientHttp2Session> {
  const session = connect(url.replace('grpc:', 'http:'))
  session.on('error', () => undefined)
  afterwards(() => session.destroy())
  await once(session, 'connect')
  return session
}

export function rawCall(
  session: ClientHttp2Session,
  path: string = '/conformance/say',
  headers: OutgoingHttpHeaders = {},
): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc+json',
    te: 'trailers',
    ...headers,
  })
  stream.on('error', () => undefined)
  return stream
}

/** All that the server tells of a call, headers and trailers together. */
export async function answerOf(stream: ClientHttp2Stream): Promise<IncomingHttpHeaders> {
  const all: IncomingHttpHeaders = {}
  stream.on('response', (headers) => Object.assign(all, headers))
  stream.on('trailers', (trailers) => Object.assign(all, trailers))
  stream.resume()
  // A reset is an error as well, and no less an answer.
  if (!stream.destroyed) await new Promise((resolve) => stream.on('close', resolve))
  return all
}

/** A message in its frame. */
export function frame(text: string, flag = 0, length: number = text.length): Buffer {
  const head = Buffer.alloc(5)
  head[0] = flag
  head.writeUInt32BE(length, 1)
  return Buffer.concat([head, Buffer.from(text)])
}

/** A socket to a server, with nothing said yet. */
export async function rawSocket(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connectNet(Number(port), hostname)
  // What a peer is told by a reset is told by `close`, too.
  socket.on('error', () => undefined)
  afterwards(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

export interface RawServer {
  readonly url: string
  readonly sessions: readonly ServerHttp2Session[]
}

/** A server that speaks HTTP/2, and answers as `onStream` does. */
export async function rawServer(
  onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
): Promise<RawServer> {
  const server = createServer()
  const sessions: ServerHttp2Session[] = []
  server.on('session', (session) => {
    sessions.push(session)
    session.on('error', () => undefined)
  })
  server.on('sessionError', () => undefined)
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined)
    onStream(stream, headers)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterwards(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  return { url: `grpc://127.0.0.1:${(server.address() as AddressInfo).port}`, sessions }
}

/** A server of bare sockets. */
export async function socketServer(onSocket: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createNet((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    onSocket(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterwards(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `grpc://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Answers a call as gRPC does. */
export function answer(
  stream: ServerHttp2Stream,
  message: string | undefined,
  trailers: OutgoingHttpHeaders = { 'grpc-status': '0' },
): void {
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc+json' },
    { waitForTrailers: true },
  )
  stream.on('wantTrailers', () => stream.sendTrailers(trailers))
  stream.end(message === undefined ? undefined : frame(message))
}
