import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { describeCertificate, type Peer } from '@micro/core/transport'

/** Who is at the other end, as far as the socket tells. */
export function peerOf(socket: Socket): Peer {
  const { remoteAddress, remotePort } = socket
  const peer = {
    transport: 'tcp',
    address: remoteAddress === undefined ? 'unix' : `${remoteAddress}:${remotePort}`,
  }
  const shown = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined
  return shown === undefined ? peer : { ...peer, certificate: describeCertificate(shown) }
}
