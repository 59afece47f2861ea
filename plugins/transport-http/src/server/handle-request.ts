import { MicroError } from '@micro/core/errors'
import type { CallReceiver } from '@micro/core/transport'
import type { Settings } from '../options.ts'
import { corsHeaders, preflightHeaders } from './cors.ts'
import { findMethod, type Incoming } from './incoming.ts'
import { type Request, type Response, readHead } from './request.ts'
import { type FlatHeaders, send, sendError, toMicroError } from './respond.ts'
import { compileRoutes } from './routes.ts'
import { serveMethod } from './serve-method.ts'
import { serveRoute } from './serve-route.ts'

export type RequestHandler = (request: Request, response: Response) => Promise<void>

/** Finds out what a request wants, and answers it. Never rejects. */
export function createRequestHandler(
  receiver: CallReceiver,
  settings: Settings,
  draining: () => boolean,
): RequestHandler {
  const routes = settings.routes.length === 0 ? undefined : compileRoutes(settings.routes)

  return async (request, response) => {
    const url = request.url as string
    const mark = url.indexOf('?')
    const path = mark < 0 ? url : url.slice(0, mark)
    const query = mark < 0 ? '' : url.slice(mark + 1)
    const headers: FlatHeaders = []
    // The client closes the socket itself: an answer to its next request could be lost otherwise.
    if (request.httpVersionMajor === 1 && draining()) headers.push('connection', 'close')
    if (settings.health && (path === '/livez' || path === '/readyz')) {
      const ok = path === '/livez' || receiver.ready
      headers.push('content-type', 'text/plain')
      send(response, ok ? 200 : 503, headers, Buffer.from(ok ? 'ok' : 'not ready'))
      request.resume()
      return
    }
    const head = readHead(request)
    if (settings.cors !== undefined) {
      headers.push(...corsHeaders(settings.cors, head.origin))
      if (request.method === 'OPTIONS') {
        const requested = request.headers['access-control-request-headers'] as string | undefined
        headers.push(...preflightHeaders(settings.cors, requested))
        send(response, 204, headers, Buffer.alloc(0))
        request.resume()
        return
      }
    }
    try {
      if (draining()) {
        throw new MicroError('unavailable', 'the server is stopping', { processed: 'no' })
      }
      const incoming: Incoming = {
        receiver,
        settings,
        request,
        response,
        head,
        headers,
        path,
        query,
      }
      const route = routes?.match(request.method as string, path, query)
      if (route !== undefined) await serveRoute(incoming, route)
      else await serveMethod(incoming, findMethod(incoming, path))
    } catch (error) {
      const failure = toMicroError(error)
      const unknown =
        failure.code === 'unimplemented' && failure.detail.startsWith('unknown method')
      sendError(response, failure, headers, unknown ? 404 : undefined)
      request.resume()
    }
  }
}
