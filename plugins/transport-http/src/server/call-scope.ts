import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { Context, rootContext } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import {
  type CallHead,
  describeCertificate,
  type Peer,
  type ReceivedMethod,
} from '@micro/core/transport'
import { parseTimeout } from '../headers.ts'
import type { Request, RequestHead, Response } from './request.ts'

/** The context of one request: its deadline, and its end when the client goes away. */
export function openContext(response: Response, timeout: string | undefined): Context {
  const milliseconds = parseTimeout(timeout)
  const context = new Context(
    rootContext,
    milliseconds === undefined ? undefined : { timeout: milliseconds },
  )
  response.on('close', () => {
    // Not `writableFinished`: over HTTP/2 that is true of a stream that was reset, too.
    if (!response.writableEnded) {
      context.cancel(new MicroError('cancelled', 'the client has gone'))
    }
  })
  // A response to a client that has gone fails; `close` says all there is to know.
  response.on('error', () => undefined)
  return context
}

export function toCallHead(
  method: ReceivedMethod,
  head: RequestHead,
  contentType: string,
): CallHead {
  return {
    service: method.service,
    method: method.name,
    kind: method.kind,
    idempotency: method.idempotency,
    contentType,
    metadata: head.metadata,
  }
}

export function peerOf(request: Request): Peer {
  const { socket } = request
  const known = peers.get(socket)
  if (known !== undefined) return known
  const { remoteAddress, remotePort } = socket
  // Over HTTP/2 this is a proxy, which hands the question on.
  const shown = 'encrypted' in socket ? (socket as TLSSocket).getPeerX509Certificate() : undefined
  const peer: Peer = {
    transport: 'http',
    address: `${remoteAddress}:${remotePort}`,
    ...(shown === undefined ? {} : { certificate: describeCertificate(shown) }),
  }
  peers.set(socket, peer)
  return peer
}

/** By socket, as reading a certificate costs more than a call. */
const peers = new WeakMap<Socket, Peer>()
