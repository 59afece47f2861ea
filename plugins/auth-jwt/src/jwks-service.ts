import { defineService, type ServiceDefinition, unary } from '@micro/core'
import type { Method } from '@micro/core/definition'
import type { JSONWebKeySet } from 'jose'

/**
 * Serves the public keys: `service.handle(jwksService, { keys: () => auth.jwks() })`, with the plain
 * route `{ method: 'GET', path: '/.well-known/jwks.json', service: 'micro.jwks', call: 'keys' }` of the
 * HTTP transport.
 */
export const jwksService: ServiceDefinition<{
  readonly keys: Method<'unary', object, object, JSONWebKeySet, JSONWebKeySet>
}> = defineService('micro.jwks', {
  keys: unary<object, JSONWebKeySet>({ idempotency: 'no_side_effects' }),
})
