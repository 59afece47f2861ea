import { MicroError } from '@micro/core/errors'
import type { ReceivedMethod, Reply } from '@micro/core/transport'
import { compress, decompress, requireEncoding } from '../compression.ts'
import { openContext, peerOf, toCallHead } from './call-scope.ts'
import type { Incoming } from './incoming.ts'
import { readBody } from './read-body.ts'
import { acceptsGzip } from './request.ts'
import { addHeaders, send, sendError, toMicroError } from './respond.ts'

/**
 * Answers one unary call; `message` stands for the body where that has been read, or there is none.
 * Never rejects: what fails is answered.
 */
export async function serveUnary(
  incoming: Incoming,
  method: ReceivedMethod,
  contentType: string,
  message?: Buffer,
): Promise<void> {
  const { receiver, settings, request, response, head, headers } = incoming
  try {
    const gzipped = requireEncoding(head.contentEncoding, 'content-encoding')
    const context = openContext(response, head.timeout)
    try {
      let body = message ?? (await readBody(request, settings.maxMessageSize, head.contentLength))
      if (gzipped) body = await decompress(body, settings.maxMessageSize, 'request')
      const callHead = toCallHead(method, head, contentType)
      const reply = await receiver.unary(callHead, body, context, peerOf(request))
      await answer(incoming, contentType, reply)
    } finally {
      context.finish()
    }
  } catch (error) {
    const failure = toMicroError(error)
    // Reading on only to throw it away would let a client keep the socket busy.
    if (!request.complete && request.httpVersionMajor === 1) headers.push('connection', 'close')
    sendError(response, failure, headers)
    if (!request.complete) request.resume()
  }
}

async function answer(incoming: Incoming, contentType: string, reply: Reply): Promise<void> {
  const { settings, response, headers, head } = incoming
  let { body } = reply
  if (body.length > settings.maxMessageSize) {
    throw new MicroError(
      'resource_exhausted',
      `the response exceeds maxMessageSize of ${settings.maxMessageSize} bytes`,
    )
  }
  headers.push('content-type', contentType)
  const { compressFrom } = settings
  if (compressFrom !== false && body.length >= compressFrom && acceptsGzip(head.acceptEncoding)) {
    body = await compress(body)
    headers.push('content-encoding', 'gzip')
  }
  addHeaders(headers, reply.headers)
  addHeaders(headers, reply.trailers, 'trailer-')
  send(response, 200, headers, body)
}
