import type { AbortOptions } from '../component/component.ts'
import { type Awaitable, isPromise } from '../component/promises.ts'
import type { Middleware } from '../middleware/middleware.ts'

export interface BearerOptions {
  /** Asked for each call; `undefined` sends none. */
  readonly token: (options: AbortOptions) => Awaitable<string | undefined>
}

/**
 * Client middleware that shows a token to whoever is called: use it where all of them may have it. A
 * call that has an `authorization` of its own keeps that.
 */
export function bearer(options: BearerOptions): Middleware {
  return (call, next) => {
    if (call.side !== 'client' || call.metadata.has('authorization')) return next(call)
    const send = (token: string | undefined): Awaitable<unknown> => {
      if (token !== undefined) call.metadata.set('authorization', `Bearer ${token}`)
      return next(call)
    }
    const token = options.token(call.context)
    return isPromise(token) ? token.then(send) : send(token)
  }
}
