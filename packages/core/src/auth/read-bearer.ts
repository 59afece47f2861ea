import type { Metadata } from '../metadata/metadata.ts'
import { authLimits, invalidToken } from './auth-rules.ts'

// RFC 6750, section 2.1; the scheme's case does not matter (RFC 9110, section 11.1).
const bearerFormat = /^bearer ([A-Za-z0-9._~+/-]+=*)$/i

/**
 * The access token that came along, or `undefined` if none did.
 *
 * @throws `unauthenticated` for anything else under that key: it is never taken for nothing.
 */
export function readBearer(metadata: Metadata): string | undefined {
  const [value, ...more] = metadata.getAll('authorization')
  if (value === undefined) return undefined
  if (more.length > 0 || value.length > authLimits.tokenBytes) throw invalidToken()
  const token = bearerFormat.exec(value)?.[1]
  if (token === undefined) throw invalidToken()
  return token
}
