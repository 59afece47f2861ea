import { MicroError } from '@micro/core/errors'
import type { ReceivedMethod } from '@micro/core/transport'
import { fromStreamType, toStreamType } from '../headers.ts'
import { parseGet } from './get-request.ts'
import { type Incoming, refuse } from './incoming.ts'
import { sendError } from './respond.ts'
import { serveStream } from './serve-stream.ts'
import { serveUnary } from './serve-unary.ts'

/** Serves a request by the Connect protocol. */
export async function serveMethod(incoming: Incoming, method: ReceivedMethod): Promise<void> {
  const { request, path } = incoming
  const cacheable = method.kind === 'unary' && method.idempotency === 'no_side_effects'
  if (request.method === 'POST') return servePost(incoming, method)
  if (request.method === 'GET' && cacheable) return serveGet(incoming, method)
  refuse(
    incoming,
    405,
    'allow',
    cacheable ? 'GET, POST' : 'POST',
    `${request.method} is not allowed for ${path}`,
  )
}

async function serveGet(incoming: Incoming, method: ReceivedMethod): Promise<void> {
  const { contentType, message, encoding } = parseGet(incoming.query, method.contentTypes)
  const head = { ...incoming.head, contentEncoding: encoding }
  await serveUnary({ ...incoming, head }, method, contentType, message)
}

async function servePost(incoming: Incoming, method: ReceivedMethod): Promise<void> {
  const { request, response, head, headers, path } = incoming
  const streaming = method.kind !== 'unary'
  if (method.kind === 'bidi_stream' && request.httpVersionMajor === 1) {
    // Over HTTP/1.1 an answer cannot begin before the request has ended.
    headers.push('connection', 'close')
    const error = new MicroError('unimplemented', `${path} streams both ways, which needs HTTP/2`, {
      processed: 'no',
    })
    sendError(response, error, headers, 505)
    request.resume()
    return
  }
  const contentType = streaming
    ? fromStreamType(head.contentType, method.contentTypes)
    : head.contentType
  if (contentType === undefined || !method.contentTypes.includes(contentType)) {
    const accepted = streaming ? method.contentTypes.map(toStreamType) : method.contentTypes
    const why = `content-type "${head.contentType}" is not served by ${path}`
    refuse(incoming, 415, 'accept-post', accepted.join(', '), why)
    return
  }
  await (streaming ? serveStream : serveUnary)(incoming, method, contentType)
}
