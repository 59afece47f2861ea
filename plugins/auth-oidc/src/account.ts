import { type Account, checkSubject, type Subject } from '@micro/core/auth'
import type { JWTPayload } from 'jose'
import { ask, Refusal } from './errors.ts'
import type { Settings } from './options.ts'

/** The account that verified claims stand for. @throws Refusal */
export function toAccount(claims: JWTPayload, settings: Settings): Account {
  const { issuer, roles, account } = settings
  const mapped = account === undefined ? {} : ask('account', () => account(claims))
  if (mapped === undefined) throw new Refusal('account() refuses it')
  const subject = { ...standard(claims, roles), ...mapped } as Subject
  try {
    checkSubject(subject)
  } catch (error) {
    throw new Refusal(`its claims make no account: ${(error as Error).message}`)
  }
  const { id, type, scopes, metadata } = subject
  return Object.freeze({
    id,
    type,
    issuer,
    scopes: Object.freeze([...scopes]),
    metadata: Object.freeze({ ...metadata }),
  })
}

/** What claims mean by RFC 9068; not yet checked. */
function standard(claims: JWTPayload, roles: readonly string[]): Record<keyof Subject, unknown> {
  const { sub, client_id: clientId, azp, scope, scp } = claims
  const client = clientId ?? azp
  const id = sub ?? client
  const named = listOf(rolesOf(claims, roles)).map((role) => `role:${role}`)
  return {
    id,
    // A client that acts for itself is its own subject (RFC 9068, section 2.2).
    type: id === client ? 'service' : 'user',
    scopes: [...listOf(scope ?? scp), ...named],
    metadata: {},
  }
}

function rolesOf(claims: JWTPayload, path: readonly string[]): unknown {
  let at: unknown = path.length === 0 ? undefined : claims
  for (const name of path) {
    at =
      typeof at === 'object' && at !== null && Object.hasOwn(at, name)
        ? Reflect.get(at, name)
        : undefined
  }
  return at
}

/** Some write lists as one text with spaces. */
function listOf(value: unknown): readonly unknown[] {
  if (value === undefined) return []
  if (typeof value === 'string') return value.split(' ').filter((one) => one !== '')
  if (Array.isArray(value)) return value
  throw new Refusal('its scopes or roles are no list')
}
