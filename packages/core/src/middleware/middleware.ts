import type { Awaitable } from '../component/promises.ts'
import type { Context } from '../context/context.ts'
import type { Idempotency, MethodAccess, MethodKind } from '../definition/definition.ts'
import type { Metadata } from '../metadata/metadata.ts'
import type { Peer } from '../transport/transport.ts'

/** A call on its way through the chain, the same for unary calls and streams. */
export interface Call {
  readonly side: 'client' | 'server'
  /** Wire names. */
  readonly service: string
  readonly method: string
  readonly kind: MethodKind
  readonly idempotency: Idempotency
  /** What the definition says of who may call it; on the server only. */
  readonly access?: MethodAccess | undefined
  /** Request metadata: what arrived at the server; what the client is about to send. */
  readonly metadata: Metadata
  readonly context: Context
  /** Who called; on the server only. */
  readonly peer?: Peer | undefined
  /** Response headers that the server is about to send; on the server only. */
  readonly headers?: Metadata | undefined
  /** The message, or for client and bidirectional streams an `AsyncIterable` of messages. */
  readonly input: unknown
}

/**
 * Wraps calls: look at or replace `call.input` (`next({ ...call, input })` keeps all else), act on
 * the result, or throw. The result is the answer, or for server and bidirectional streams an
 * `AsyncIterable` of messages.
 */
export type Middleware = (call: Call, next: Next) => Awaitable<unknown>

export type Next = (call: Call) => Awaitable<unknown>

/** The first middleware is the outermost. `undefined` for an empty chain. */
export function composeMiddleware(
  chain: readonly Middleware[],
): ((call: Call, last: Next) => Awaitable<unknown>) | undefined {
  if (chain.length === 0) return undefined
  return (call, last) => {
    const run = (at: number, current: Call): Awaitable<unknown> => {
      const middleware = chain[at]
      return middleware === undefined
        ? last(current)
        : middleware(current, (changed) => run(at + 1, changed))
    }
    return run(0, call)
  }
}
