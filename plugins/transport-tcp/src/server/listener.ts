import { once } from 'node:events'
import { unlink } from 'node:fs/promises'
import {
  type AddressInfo,
  connect,
  createServer as createNet,
  type Server,
  type Socket,
} from 'node:net'
import { createServer as createTls, type Server as TlsServer } from 'node:tls'
import type { TlsSource } from '@micro/core/identity'
import type { CallReceiver, Listener } from '@micro/core/transport'
import { fromListen } from '../errors.ts'
import type { Settings } from '../options.ts'
import { ServerLink } from './server-link.ts'

/** Opens the port or Unix socket. */
export async function listen(receiver: CallReceiver, settings: Settings): Promise<Listener> {
  const links = new Set<ServerLink>()
  /** Not greeted yet: TLS may still be shaking hands. */
  const sockets = new Set<Socket>()
  let draining = false
  let whenIdle: (() => void) | undefined
  const isIdle = (): boolean => [...links].every((link) => link.idle)
  const accept = (socket: Socket): void => {
    const link = new ServerLink(socket, receiver, settings, draining, {
      onIdle: () => {
        if (whenIdle !== undefined && isIdle()) whenIdle()
      },
      onClose: () => links.delete(link),
    })
    links.add(link)
  }
  const server = createServer(settings, accept)
  server.maxConnections = settings.maxConnections
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
  })
  await bind(server, settings)
  // Accepting one socket failed, for want of file handles say: the others go on.
  server.on('error', () => undefined)
  const { tls } = settings
  const stopRotation = tls === undefined ? undefined : rotate(server as TlsServer, tls)

  return {
    url: settings.advertise ?? urlOf(server, settings),
    async drain() {
      draining = true
      for (const link of links) link.drain()
      if (!isIdle()) {
        const before = whenIdle
        await new Promise<void>((resolve) => {
          whenIdle = () => {
            before?.()
            resolve()
          }
        })
      }
    },
    async close() {
      draining = true
      stopRotation?.()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const link of links) link.close()
      for (const socket of sockets) socket.destroySoon()
      await closed
    },
  }
}

function createServer(settings: Settings, accept: (socket: Socket) => void): Server {
  const { tls, connectTimeout } = settings
  if (tls === undefined) return createNet(accept)
  const { cert, key, ca } = tls.current()
  const trust = ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }
  const server = createTls({ cert, key, ...trust, handshakeTimeout: connectTimeout }, accept)
  // A peer without a good certificate, or none that speaks TLS, loses its own connection.
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  return server
}

async function bind(server: Server, settings: Settings): Promise<void> {
  const { host, port, path } = settings
  const place = path === undefined ? { host, port } : { path }
  try {
    server.listen(place)
    await once(server, 'listening')
  } catch (error) {
    if (path === undefined || !(await isStale(error, path))) {
      throw fromListen(error, path ?? `${host}:${port}`)
    }
    // Left behind by a process that was killed.
    await unlink(path)
    server.listen(place)
    await once(server, 'listening')
  }
}

/** Whether nobody listens on a Unix socket that is there. */
async function isStale(error: unknown, path: string): Promise<boolean> {
  if ((error as { code?: unknown }).code !== 'EADDRINUSE') return false
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return false
  } catch (refused) {
    return (refused as { code?: unknown }).code === 'ECONNREFUSED'
  } finally {
    socket.destroy()
  }
}

/** Follows the source's changes: new connections get the newest material. */
function rotate(server: TlsServer, tls: TlsSource): () => void {
  const changes = tls.watch()[Symbol.asyncIterator]()
  const follow = async (): Promise<void> => {
    for (let step = await changes.next(); step.done !== true; step = await changes.next()) {
      const { cert, key, ca } = step.value
      server.setSecureContext({ cert, key, ...(ca === undefined ? {} : { ca }) })
    }
  }
  // A source that fails leaves the last good material in place; it reports its own health.
  follow().catch(() => undefined)
  return () => void changes.return?.()
}

function urlOf(server: Server, { path }: Settings): string {
  if (path !== undefined) return `unix://${encodeURI(path)}`
  const { address, port, family } = server.address() as AddressInfo
  return `tcp://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}
