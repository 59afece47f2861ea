import { importJWK, type JWTPayload, SignJWT } from 'jose'
import type { ProviderKey } from './provider.ts'

export const audience = 'urn:example:shop'

export interface Given {
  readonly header?: Readonly<Record<string, unknown>>
  /** `undefined` leaves a claim out. */
  readonly payload?: Readonly<Record<string, unknown>>
}

/** An access token of RFC 9068 that is good but for what is given. */
export async function sign(issuer: string, key: ProviderKey, given: Given = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1_000)
  const payload = {
    iss: issuer,
    aud: audience,
    sub: 'ada',
    client_id: 'web',
    scope: 'admin',
    jti: crypto.randomUUID(),
    iat: now,
    exp: now + 60,
    ...given.payload,
  }
  return new SignJWT(JSON.parse(JSON.stringify(payload)) as JWTPayload)
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'at+jwt', ...given.header })
    .sign(await importJWK(key, key.alg))
}

export const encode = (value: unknown): string =>
  Buffer.from(JSON.stringify(value)).toString('base64url')

export const seconds = (): number => Math.floor(Date.now() / 1_000)
