import type { ServerHttp2Session } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { unrefTimer } from '@micro/core/component'
import { describeCertificate, type Peer } from '@micro/core/transport'
import type { Settings } from '../options.ts'
import type { ServerConnection } from './incoming.ts'

/** Watches over one connection until it ends. */
export function watchConnection(session: ServerHttp2Session, settings: Settings): ServerConnection {
  const { pingInterval, pingTimeout } = settings
  const { socket } = session
  let bytes = 0
  let lastReceived = performance.now()
  const look = (): number => {
    const now = socket.bytesRead
    if (now !== bytes) {
      bytes = now
      lastReceived = performance.now()
    }
    return lastReceived
  }
  let pinging = false
  const ping = (): void => {
    // A draining connection is left alone: its client may not answer what it did not expect.
    if (pinging || session.closed || session.destroyed) return
    if (performance.now() - look() < pingInterval * 0.9) return
    pinging = true
    const late = unrefTimer(
      setTimeout(() => {
        // It may have been heard of in another way.
        if (performance.now() - look() >= pingTimeout) session.destroy()
        pinging = false
      }, pingTimeout),
    )
    session.ping(() => {
      pinging = false
      clearTimeout(late)
    })
  }
  const watch = unrefTimer(setInterval(ping, pingInterval))
  session.on('close', () => clearInterval(watch))
  return {
    peer: peerOf(session),
    get lastReceived() {
      return look()
    },
    pendingBytes: 0,
  }
}

function peerOf({ socket, encrypted }: ServerHttp2Session): Peer {
  const shown = encrypted === true ? (socket as TLSSocket).getPeerX509Certificate() : undefined
  return {
    transport: 'grpc',
    address: `${socket.remoteAddress}:${socket.remotePort}`,
    ...(shown === undefined ? {} : { certificate: describeCertificate(shown) }),
  }
}
