import { MicroError } from '@micro/core/errors'
import type { CallReceiver, ReceivedMethod } from '@micro/core/transport'
import { fromStreamType, toStreamType } from '../headers.ts'
import type { Settings } from '../options.ts'
import { corsHeaders, preflightHeaders } from './cors.ts'
import { parseGet } from './get-request.ts'
import { type Request, type RequestHead, type Response, readHead } from './request.ts'
import { type FlatHeaders, send, sendError, toMicroError } from './respond.ts'
import { serveStream } from './serve-stream.ts'
import { serveUnary } from './serve-unary.ts'

export type RequestHandler = (request: Request, response: Response) => Promise<void>

/** Finds out what a request wants, and answers it. Never rejects. */
export function createRequestHandler(
  receiver: CallReceiver,
  settings: Settings,
  draining: () => boolean,
): RequestHandler {
  return async (request, response) => {
    const url = request.url as string
    const query = url.indexOf('?')
    const path = query < 0 ? url : url.slice(0, query)
    const http1 = request.httpVersionMajor === 1
    const headers: FlatHeaders = []
    // The client closes the socket itself: an answer to its next request could be lost otherwise.
    if (http1 && draining()) headers.push('connection', 'close')
    if (settings.health && (path === '/livez' || path === '/readyz')) {
      const ok = path === '/livez' || receiver.ready
      headers.push('content-type', 'text/plain')
      send(response, ok ? 200 : 503, headers, Buffer.from(ok ? 'ok' : 'not ready'))
      request.resume()
      return
    }
    const head = readHead(request)
    if (settings.cors !== undefined) headers.push(...corsHeaders(settings.cors, head.origin))
    if (request.method === 'OPTIONS' && settings.cors !== undefined) {
      const requested = request.headers['access-control-request-headers']
      headers.push(...preflightHeaders(settings.cors, requested as string | undefined))
      send(response, 204, headers, Buffer.alloc(0))
      request.resume()
      return
    }
    try {
      if (draining())
        throw new MicroError('unavailable', 'the server is stopping', { processed: 'no' })
      const method = find(receiver, path)
      if (request.method === 'GET') await serveGet(method, head, headers, url.slice(query + 1))
      else if (request.method === 'POST') await servePost(method, head, headers)
      else
        refuse(
          response,
          headers,
          405,
          'allow',
          method.idempotency === 'no_side_effects' ? 'GET, POST' : 'POST',
        )
    } catch (error) {
      const failure = toMicroError(error)
      const status =
        failure.code === 'unimplemented' && failure.detail.startsWith('unknown') ? 404 : undefined
      sendError(response, failure, headers, status)
      request.resume()
    }

    async function serveGet(
      method: ReceivedMethod,
      head: RequestHead,
      headers: FlatHeaders,
      text: string,
    ) {
      if (method.kind !== 'unary' || method.idempotency !== 'no_side_effects') {
        refuse(response, headers, 405, 'allow', 'POST')
        return
      }
      const { contentType, message, encoding } = parseGet(
        query < 0 ? '' : text,
        method.contentTypes,
      )
      const known = { ...head, contentEncoding: encoding }
      await serveUnary(receiver, settings, request, response, {
        method,
        head: known,
        contentType,
        message,
        headers,
      })
    }

    async function servePost(method: ReceivedMethod, head: RequestHead, headers: FlatHeaders) {
      const streaming = method.kind !== 'unary'
      if (method.kind === 'bidi_stream' && http1) {
        // Over HTTP/1.1 an answer cannot begin before the request has ended.
        headers.push('connection', 'close')
        const error = new MicroError(
          'unimplemented',
          `${path} streams both ways, which needs HTTP/2`,
          { processed: 'no' },
        )
        sendError(response, error, headers, 505)
        request.resume()
        return
      }
      const contentType = streaming
        ? fromStreamType(head.contentType, method.contentTypes)
        : head.contentType
      if (contentType === undefined || !method.contentTypes.includes(contentType)) {
        const accepted = streaming ? method.contentTypes.map(toStreamType) : method.contentTypes
        refuse(
          response,
          headers,
          415,
          'accept-post',
          accepted.join(', '),
          `content-type "${head.contentType}" is not served by ${path}`,
        )
        return
      }
      const call = { method, head, contentType, headers }
      await (streaming ? serveStream : serveUnary)(receiver, settings, request, response, call)
    }

    function refuse(
      to: Response,
      headers: FlatHeaders,
      status: number,
      name: string,
      value: string,
      why?: string,
    ) {
      headers.push(name, value)
      const detail = `${why ?? `${request.method} is not allowed for ${path}`}; use ${value}`
      sendError(to, new MicroError('unimplemented', detail, { processed: 'no' }), headers, status)
      request.resume()
    }
  }
}

function find(receiver: CallReceiver, path: string): ReceivedMethod {
  const slash = path.lastIndexOf('/')
  const method = slash > 0 ? receiver.find(path.slice(1, slash), path.slice(slash + 1)) : undefined
  if (method !== undefined) return method
  throw new MicroError(
    'unimplemented',
    `unknown method ${path.slice(0, 200)}: the path is /<service>/<method>`,
    {
      processed: 'no',
    },
  )
}
