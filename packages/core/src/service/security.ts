import { authorize } from '../access/authorize.ts'
import { authenticate } from '../auth/authenticate.ts'
import { bearer } from '../auth/bearer.ts'
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

export function secure<C extends Components>(
  { auth, access, identity }: ServiceOptions<C>,
  logger: Logger,
): Security {
  const audit = logger.child({ audit: 'access' })
  const token =
    identity?.token === undefined
      ? undefined
      : async (options: AbortOptions) => identity.token?.(options)

  return {
    server: [
      ...(auth === undefined ? [] : [authenticate({ auth })]),
      ...(access === undefined ? [] : [authorize({ access, audit })]),
    ],
    client: token === undefined ? [] : [bearer({ token })],
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
          const shown = await token?.(options)
          if (shown === undefined || auth === undefined) return undefined
          return (await auth.verify(shown, options)).account
        }
        guards.push(authorizeMessages({ access, self, audit }))
      }
      return [...guards, ...own, ...senders]
    },
  }
}
