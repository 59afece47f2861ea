import { MicroError } from '@micro/core/errors'
import { decompress, requireEncoding } from '../compression.ts'
import { findMethod, type Incoming } from './incoming.ts'
import { readBody } from './read-body.ts'
import { inputOf, type RouteMatch } from './routes.ts'
import { serveUnary } from './serve-unary.ts'

const contentType = 'application/json'

/** Serves a plain route as a unary call in JSON. */
export async function serveRoute(incoming: Incoming, route: RouteMatch): Promise<void> {
  const { request, head, path, settings } = incoming
  const method = findMethod(incoming, `/${route.service}/${route.method}`)
  if (method.kind !== 'unary' || !method.contentTypes.includes(contentType)) {
    throw new MicroError(
      'unimplemented',
      `${path} leads to a method that is not unary or has no JSON`,
    )
  }
  const gzipped = requireEncoding(head.contentEncoding, 'content-encoding')
  const body = await readBody(request, settings.maxMessageSize, head.contentLength)
  const plain = gzipped ? await decompress(body, settings.maxMessageSize, 'request') : body
  const known = { ...incoming, head: { ...head, contentEncoding: undefined } }
  await serveUnary(known, method, contentType, inputOf(route, plain))
}
