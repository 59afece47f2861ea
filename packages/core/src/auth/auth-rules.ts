import { MicroError } from '../errors/micro-error.ts'
import type { IssueOptions, Subject } from './auth.ts'

/** Limits that every auth keeps. */
export const authLimits: {
  readonly tokenBytes: number
  readonly scopes: number
  readonly metadataBytes: number
} = { tokenBytes: 16_384, scopes: 100, metadataBytes: 4_096 }

const longest = 10 * 365 * 86_400_000
const typeFormat = /^[a-z][a-z0-9_-]{0,31}$/
// The `scope-token` of RFC 6749, section 3.3; `*` stands for any account in rules.
const scopeFormat = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/

/** The one answer to every token that is not valid: what is wrong with it would help a thief only. */
export function invalidToken(): MicroError {
  return new MicroError('unauthenticated', 'the token is not valid')
}

/** @throws `unauthenticated` for what cannot be a token, before any work is done for it. */
export function checkToken(token: string): void {
  const fits = typeof token === 'string' && token !== '' && token.length <= authLimits.tokenBytes
  if (!fits) throw invalidToken()
}

/** @throws `invalid_argument` naming the field of an account that cannot be issued for. */
export function checkSubject({ id, type, scopes, metadata }: Subject): void {
  if (typeof id !== 'string' || !/^[^\p{C}]{1,256}$/u.test(id)) {
    throw wrong('id', 'give 1 to 256 characters, none of them a control character')
  }
  if (typeof type !== 'string' || !typeFormat.test(type)) {
    throw wrong('type', 'use up to 32 of a-z, 0-9, "_" and "-", beginning with a letter')
  }
  if (!Array.isArray(scopes) || scopes.length > authLimits.scopes) {
    throw wrong('scopes', `give a list of at most ${authLimits.scopes}`)
  }
  for (const [at, scope] of scopes.entries()) {
    if (typeof scope === 'string' && scope !== '*' && scopeFormat.test(scope)) continue
    throw wrong(`scopes[${at}]`, 'use up to 128 printable ASCII characters but space, " and \\')
  }
  let size = 0
  for (const [name, value] of Object.entries(metadata)) {
    if (typeof value !== 'string' || !value.isWellFormed()) {
      throw wrong(`metadata.${name}`, 'give a well-formed string')
    }
    size += name.length + value.length
  }
  if (size > authLimits.metadataBytes) {
    throw wrong('metadata', `${size} characters; give at most ${authLimits.metadataBytes}`)
  }
}

/** @throws `invalid_argument` for a life that is none. */
export function checkLives({ ttl, refreshTtl }: Pick<IssueOptions, 'ttl' | 'refreshTtl'>): void {
  checkLife('ttl', ttl)
  if (refreshTtl !== false) checkLife('refreshTtl', refreshTtl)
}

function checkLife(field: string, life: number | undefined): void {
  if (life === undefined || (Number.isInteger(life) && life >= 1 && life <= longest)) return
  throw wrong(field, `${life}; give whole milliseconds from 1 to ten years`)
}

function wrong(field: string, why: string): MicroError {
  return new MicroError('invalid_argument', `${field}: ${why}`)
}
