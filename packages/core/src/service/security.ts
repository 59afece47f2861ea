import type { MessageMiddleware } from '../broker/messaging.ts'
import type { AbortOptions } from '../component/component.ts'
import type { Logger } from '../logger/logger.ts'
import type { Middleware } from '../middleware/middleware.ts'
import type { Peer } from '../transport/transport.ts'
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

/** Whom the identity takes for the service itself. */
const inProcess: Peer = { transport: 'memory', address: 'in process' }

/** Its code is loaded by the first call or message: a service without rules never pays for it. */
export function secure<C extends Components>(
  { auth, access, identity, zeroTrust }: ServiceOptions<C>,
  logger: Logger,
): Security {
  const peers =
    identity?.accountOf === undefined ? undefined : (peer: Peer) => identity.accountOf?.(peer)
  const knowsCallers = auth !== undefined || peers !== undefined
  const guarded = access !== undefined || knowsCallers
  const audit = guarded ? logger.child({ audit: 'access' }) : undefined
  const defaultDeny = zeroTrust
  const token =
    identity?.token === undefined
      ? undefined
      : async (options: AbortOptions) => identity.token?.(options)
  const authenticated = lazy(
    knowsCallers
      ? async () =>
          (await import('../auth/authenticate.ts')).authenticate({
            auth,
            peers,
            required: zeroTrust === true,
          })
      : undefined,
  )
  const authorized = lazy(
    guarded
      ? async () =>
          (await import('../access/authorize.ts')).authorize({
            access,
            defaultDeny,
            ...(audit === undefined ? {} : { audit }),
          })
      : undefined,
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
      if (access !== undefined || zeroTrust === true) {
        const { authorizeMessages } = await import('../access/messages.ts')
        const self = async (options: AbortOptions) => {
          const mine = await token?.(options)
          if (mine === undefined || auth === undefined) return peers?.(inProcess)?.account
          return (await auth.verify(mine, options)).account
        }
        guards.push(
          authorizeMessages({
            access,
            self,
            defaultDeny,
            ...(audit === undefined ? {} : { audit }),
          }),
        )
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
