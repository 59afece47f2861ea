import { Context, rootContext } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import type { CallHead, Peer, ReceivedMethod } from '@micro/core/transport'
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
  const { remoteAddress, remotePort } = request.socket
  return { transport: 'http', address: `${remoteAddress}:${remotePort}` }
}
