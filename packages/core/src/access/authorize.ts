import { accountOf } from '../auth/account.ts'
import type { Account } from '../auth/auth.ts'
import { requireContract } from '../component/contract.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { Logger } from '../logger/logger.ts'
import type { Call, Middleware } from '../middleware/middleware.ts'
import type { Access, Resource } from './access.ts'

export interface AuthorizeOptions {
  readonly access: Access
  /** What a call is about. @default `{ type: 'service', name: <service>, endpoint: <method> }` */
  readonly resourceOf?: (call: Call) => Resource
  /** Told of every decision: denials at `warn`, all else at `debug`. @default none */
  readonly audit?: Logger
}

/** Server middleware that asks the rules whether the account of a call may make it. */
export function authorize(options: AuthorizeOptions): Middleware {
  const { access, audit, resourceOf = serviceOf } = options
  requireContract(access, 'access/0')
  return (call, next) => {
    if (call.side === 'server') {
      checkAccess({ access, audit, account: accountOf(call.context), resource: resourceOf(call) })
    }
    return next(call)
  }
}

export interface AccessCheck {
  readonly access: Access
  readonly account: Account | undefined
  readonly resource: Resource
  readonly audit?: Logger | undefined
}

/**
 * @throws `permission_denied`, or `unauthenticated` where there is no account; neither says which rule
 * it was.
 */
export function checkAccess({ access, account, resource, audit }: AccessCheck): void {
  const decision = access.decide(account, resource)
  audit?.log(decision.allowed ? 'debug' : 'warn', decision.allowed ? 'allowed' : 'denied', {
    'account.id': account?.id,
    'account.issuer': account?.issuer,
    'resource.type': resource.type,
    'resource.name': resource.name,
    'resource.endpoint': resource.endpoint,
    'access.rule': decision.rule?.id,
    'access.reason': decision.reason,
  })
  if (decision.allowed) return
  if (account !== undefined) throw new MicroError('permission_denied', 'this is not allowed')
  throw new MicroError('unauthenticated', 'this is not allowed without an account')
}

function serviceOf({ service, method }: Call): Resource {
  return { type: 'service', name: service, endpoint: method }
}
