import { Context, rootContext } from '@micro/core/context'
import { Metadata } from '@micro/core/metadata'
import type { Call } from '@micro/core/middleware'
import type { Peer } from '@micro/core/transport'

/** A call that has arrived, for middleware alone. */
export function callOf(facts: {
  readonly peer?: Peer
  readonly token?: string
  readonly access?: Call['access']
}): Call {
  const { peer, token, access } = facts
  return {
    side: 'server',
    service: 'orders',
    method: 'list',
    kind: 'unary',
    idempotency: 'unknown',
    metadata: new Metadata(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    context: new Context(rootContext),
    input: undefined,
    access,
    ...(peer === undefined ? {} : { peer }),
  }
}
