import { MicroError } from '@micro/core/errors'
import type { CallReceiver, ReceivedMethod, Reply } from '@micro/core/transport'
import { compress, decompress, requireEncoding } from '../compression.ts'
import type { Settings } from '../options.ts'
import { openContext, peerOf, toCallHead } from './call-scope.ts'
import { readBody } from './read-body.ts'
import { acceptsGzip, type Request, type RequestHead, type Response } from './request.ts'
import { addHeaders, type FlatHeaders, send, sendError, toMicroError } from './respond.ts'

export interface UnaryRequest {
  readonly method: ReceivedMethod
  readonly head: RequestHead
  readonly contentType: string
  /** The message of a GET, from its query; else it is the body. */
  readonly message?: Buffer
  /** Headers of every answer to this request. */
  readonly headers: FlatHeaders
}

/** Answers one unary call. Never rejects: what fails is answered. */
export async function serveUnary(
  receiver: CallReceiver,
  settings: Settings,
  request: Request,
  response: Response,
  call: UnaryRequest,
): Promise<void> {
  const { head, headers, method } = call
  try {
    const gzipped = requireEncoding(head.contentEncoding, 'content-encoding')
    const context = openContext(response, head.timeout)
    try {
      let body =
        call.message ?? (await readBody(request, settings.maxMessageSize, head.contentLength))
      if (gzipped) body = await decompress(body, settings.maxMessageSize, 'request')
      const callHead = toCallHead(method, head, call.contentType)
      const reply = await receiver.unary(callHead, body, context, peerOf(request))
      await answer(settings, response, call, reply)
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

async function answer(
  settings: Settings,
  response: Response,
  call: UnaryRequest,
  reply: Reply,
): Promise<void> {
  const { headers, head } = call
  let { body } = reply
  if (body.length > settings.maxMessageSize) {
    throw new MicroError(
      'resource_exhausted',
      `the response exceeds maxMessageSize of ${settings.maxMessageSize} bytes`,
    )
  }
  headers.push('content-type', call.contentType)
  const { compressFrom } = settings
  if (compressFrom !== false && body.length >= compressFrom && acceptsGzip(head.acceptEncoding)) {
    body = await compress(body)
    headers.push('content-encoding', 'gzip')
  }
  addHeaders(headers, reply.headers)
  addHeaders(headers, reply.trailers, 'trailer-')
  send(response, 200, headers, body)
}
