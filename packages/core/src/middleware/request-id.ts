import { type ContextKey, createContextKey } from '../context/key.ts'
import type { Middleware } from './middleware.ts'

/** The id of the request being handled: `currentContext().get(requestIdKey)`. */
export const requestIdKey: ContextKey<string> = createContextKey('request-id')

export interface RequestIdOptions {
  /** Metadata key. @default 'x-request-id' */
  readonly key?: string
}

/** At most this much of a foreign id is believed. */
const longest = 128

/**
 * Gives each request an id: the incoming one, else that of the surrounding call, else a new one. The
 * server answers with it; the client sends it on. Install it on both sides.
 */
export function requestId(options: RequestIdOptions = {}): Middleware {
  const key = options.key ?? 'x-request-id'
  return (call, next) => {
    const given = call.metadata.get(key)?.slice(0, longest)
    const id = given ?? call.context.get(requestIdKey) ?? crypto.randomUUID()
    call.context.set(requestIdKey, id)
    if (call.side === 'client') call.metadata.set(key, id)
    else call.headers?.set(key, id)
    return next(call)
  }
}
