import type { Account, Subject } from '@micro/core/auth'
import { checkSubject } from '@micro/core/auth'
import type { JWTPayload } from 'jose'

/** What a token says of its account, in the names of RFC 9068 or of the Go framework. */
export function toClaims(
  { type, scopes, metadata }: Subject,
  names: 'rfc9068' | 'go',
): Record<string, unknown> {
  return names === 'go' ? { type, scopes, metadata } : { type, scope: scopes.join(' '), metadata }
}

/** `undefined` for claims that make no account. */
export function toSubject(claims: JWTPayload): Omit<Account, 'issuer'> | undefined {
  const { sub, type = 'user', scope, scopes, metadata = {} } = claims as Record<string, unknown>
  const listed = Array.isArray(scopes)
    ? scopes
    : typeof scope === 'string'
      ? scope.split(' ').filter((one) => one !== '')
      : []
  const subject = { id: sub, type, scopes: listed, metadata } as Subject
  try {
    if (typeof metadata !== 'object' || metadata === null) return undefined
    checkSubject(subject)
    return { ...subject, scopes: [...subject.scopes], metadata: { ...subject.metadata } }
  } catch {
    // A token of ours always makes one; of others, one that does not is not good here.
    return undefined
  }
}
