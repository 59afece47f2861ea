import { MicroError } from '@micro/core/errors'
import { type CryptoKey, importJWK, type JWK } from 'jose'
import type { Json } from './fetch-json.ts'

/** The algorithms that each kind of key can verify. None of them is symmetric. */
const algorithmsOf: Readonly<Record<string, readonly string[]>> = {
  'EC P-256': ['ES256'],
  RSA: ['RS256', 'PS256'],
  'OKP Ed25519': ['EdDSA', 'Ed25519'],
}
const algorithms = new Set(Object.values(algorithmsOf).flat())
const maxKeys = 100

export interface KeySet {
  /** The key that a token names, if it verifies the algorithm that the token names. */
  find(kid: string | undefined, alg: string): CryptoKey | undefined
}

interface NamedKey {
  readonly kid: string | undefined
  readonly alg: string
  readonly key: CryptoKey
}

/** Whether any key could verify it. */
export function isAlgorithm(alg: unknown): alg is string {
  return typeof alg === 'string' && algorithms.has(alg)
}

/** @throws `unavailable` for what is no JSON Web Key Set. */
export async function toKeySet({ keys: jwks }: Json, place: string): Promise<KeySet> {
  if (!Array.isArray(jwks)) {
    throw new MicroError('unavailable', `${place}: it is no JSON Web Key Set`)
  }
  if (jwks.length > maxKeys) {
    throw new MicroError('unavailable', `${place}: ${jwks.length} keys, of at most ${maxKeys}`)
  }
  const keys = (await Promise.all(jwks.map((jwk) => toKeys(jwk)))).flat()
  return {
    find(kid, alg) {
      const fit = keys.filter((one) => one.alg === alg && (kid === undefined || one.kid === kid))
      // A token that names none is good where there is no choice.
      return kid === undefined && fit.length > 1 ? undefined : fit[0]?.key
    },
  }
}

/**
 * One for each algorithm. What is for another use, of an unknown kind or malformed is passed over, so
 * that one new key does not take the others away (RFC 7517, section 5).
 */
async function toKeys(jwk: unknown): Promise<readonly NamedKey[]> {
  if (typeof jwk !== 'object' || jwk === null) return []
  const { kid, kty, crv, x, y, n, e, alg, use = 'sig', key_ops: operations } = jwk as JWK
  if (use !== 'sig' || (Array.isArray(operations) && !operations.includes('verify'))) return []
  const possible = algorithmsOf[crv === undefined ? String(kty) : `${kty} ${crv}`] ?? []
  const usable = possible.filter((one) => alg === undefined || alg === one)
  // Only the public half verifies.
  const half = JSON.parse(JSON.stringify({ kty, crv, x, y, n, e })) as JWK
  const keys = usable.map(async (one) => ({ kid, alg: one, key: await importJWK(half, one) }))
  const outcomes = await Promise.allSettled(keys)
  return outcomes.flatMap(({ status, ...outcome }) =>
    status === 'fulfilled' ? [(outcome as { value: NamedKey }).value] : [],
  )
}
