import type { MessageMiddleware } from '../broker/messaging.ts'
import type { AbortOptions } from '../component/component.ts'
import type { Logger } from '../logger/logger.ts'
import type { Middleware } from '../middleware/middleware.ts'
import type { Components, ServiceOptions } from './service.ts'

/** What `auth`, `access` and `identity` put around calls and messages. */
export interface Security {
  /** Ahead of the service's own. */
  readonly server: readonly Middleware[]
  /** Behind the service's own, which may have set a token. */
  readonly client: readonly Middleware[]
  /** Both, around the service's own. */
  messages(own: readonly MessageMiddleware[]): Promise<readonly MessageMiddleware[]>
}

/** Its code is loaded by the first call or message: a service without rules never pays for it. */
export function secure<C extends Components>(
  { auth, access, identity }: ServiceOptions<C>,
  logger: Logger,
): Security {
  const audit = access && logger.child({ audit: 'access' })
  const token =
    identity?.token === undefined
      ? undefined
      : async (options: AbortOptions) => identity.token?.(options)
  const authenticated = lazy(
    auth && (async () => (await import('../auth/authenticate.ts')).authenticate({ auth })),
  )
  const authorized = lazy(
    access &&
      (async () =>
        (await import('../access/authorize.ts')).authorize({
          access,
          ...(audit === undefined ? {} : { audit }),
        })),
  )
  const shown = lazy(token && (async () => (await import('../auth/bearer.ts')).bearer({ token })))

  return {
    server: [...authenticated, ...authorized],
    client: shown,
    async messages(own) {
      const guards: MessageMiddleware[] = []
      const senders: MessageMiddleware[] = []
      if (auth !== undefined || token !== undefined) {
        const { authenticateMessages, bearerMessages } = await import('../auth/messages.ts')
        if (auth !== undefined) guards.push(authenticateMessages({ auth }))
        if (token !== undefined) senders.push(bearerMessages({ token }))
      }
      if (access !== undefined) {
        const { authorizeMessages } = await import('../access/messages.ts')
        const self = async (options: AbortOptions) => {
          const mine = await token?.(options)
          if (mine === undefined || auth === undefined) return undefined
          return (await auth.verify(mine, options)).account
        }
        guards.push(authorizeMessages({ access, self, ...(audit === undefined ? {} : { audit }) }))
      }
      return [...guards, ...own, ...senders]
    },
  }
}

/** One middleware, or none. Until its code is there, calls wait. */
function lazy(load: (() => Promise<Middleware>) | undefined): readonly Middleware[] {
  if (load === undefined) return []
  let loading: Promise<Middleware> | undefined
  let ready: Middleware | undefined
  const begin = async (): Promise<Middleware> => {
    ready = await load()
    return ready
  }
  return [
    (call, next) => {
      if (ready !== undefined) return ready(call, next)
      loading ??= begin()
      return loading.then((middleware) => middleware(call, next))
    },
  ]
}
