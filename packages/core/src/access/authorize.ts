import { accountOf } from '../auth/account.ts'
import type { Account } from '../auth/auth.ts'
import { requireContract } from '../component/contract.ts'
import type { MethodAccess } from '../definition/definition.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { Logger } from '../logger/logger.ts'
import type { Call, Middleware } from '../middleware/middleware.ts'
import type { Access, Decision, Resource } from './access.ts'

export interface AuthorizeOptions {
  /** The rules. @default none: what definitions declare decides alone */
  readonly access?: Access | undefined
  /** Deny what neither a rule nor a definition allows, also while there is no rule. @default false */
  readonly defaultDeny?: boolean | undefined
  /** What a call is about. @default `{ type: 'service', name: <service>, endpoint: <method> }` */
  readonly resourceOf?: (call: Call) => Resource
  /** Told of every decision: denials at `warn`, all else at `debug`. @default none */
  readonly audit?: Logger
}

/**
 * Server middleware that asks the rules whether the account of a call may make it, and where none
 * applies, what the definition declares.
 */
export function authorize(options: AuthorizeOptions): Middleware {
  const { access, audit, defaultDeny, resourceOf = serviceOf } = options
  if (access !== undefined) requireContract(access, 'access/0')
  return (call, next) => {
    if (call.side === 'server') {
      checkAccess({
        access,
        audit,
        defaultDeny,
        account: accountOf(call.context),
        resource: resourceOf(call),
        declared: call.access,
      })
    }
    return next(call)
  }
}

export interface AccessCheck {
  readonly access: Access | undefined
  readonly defaultDeny?: boolean | undefined
  /** What the definition says. */
  readonly declared?: MethodAccess | undefined
  readonly account: Account | undefined
  readonly resource: Resource
  readonly audit?: Logger | undefined
}

/**
 * @throws `permission_denied`, or `unauthenticated` where there is no account; neither says which rule
 * it was.
 */
export function checkAccess(check: AccessCheck): void {
  const { account, resource, audit } = check
  const decision = decide(check)
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

function decide({ access, account, resource, declared, defaultDeny }: AccessCheck): Decision {
  const decision = access?.decide(account, resource) ?? unruled
  if (decision.reason !== 'default' && decision.reason !== 'unconfigured') return decision
  if (declared !== undefined) {
    return { allowed: isAmong(account, declared.scopes), rule: undefined, reason: 'declared' }
  }
  if (defaultDeny !== true) return decision
  return { allowed: false, rule: undefined, reason: 'default' }
}

const unruled: Decision = { allowed: true, rule: undefined, reason: 'unconfigured' }

function isAmong(account: Account | undefined, scopes: readonly string[]): boolean {
  if (scopes.includes('')) return true
  if (account === undefined) return false
  return scopes.includes('*') || account.scopes.some((scope) => scopes.includes(scope))
}

function serviceOf({ service, method }: Call): Resource {
  return { type: 'service', name: service, endpoint: method }
}
