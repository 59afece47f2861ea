import type { Account } from '@micro/core/auth'
import { checkLives } from '@micro/core/auth'
import type { Awaitable } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { Store } from '@micro/core/store'
import type { JWK, JWTPayload } from 'jose'

export type JwtAlgorithm = 'EdDSA' | 'ES256' | 'RS256'

/** A JSON Web Key with its name and algorithm: private to sign with, public to verify with. */
export type JwtKey = JWK & { readonly kid: string; readonly alg: JwtAlgorithm }

/** Somebody else whose tokens are good here. */
export interface TrustedIssuer {
  /** As in `iss`. */
  readonly issuer: string
  /** Where its public keys are, as a JSON Web Key Set. */
  readonly jwksUrl: string | URL
  /** What its tokens must be meant for. @default the auth's own `audience` */
  readonly audience?: string
  /** What its claims mean; `undefined` refuses the token. @default the claims that this auth issues */
  readonly account?: (claims: JWTPayload) => Omit<Account, 'issuer'> | undefined
}

export interface JwtAuthOptions {
  /** Who vouches for the tokens issued here: `https://auth.example`. */
  readonly issuer: string
  /** What tokens are meant for, and must be. @default none, and not looked at */
  readonly audience?: string
  /**
   * The first private one signs, all of them verify. A function is asked again when a token names a key
   * that is not known, and every `keyInterval`: rotate by putting the new key behind the first, waiting
   * until all instances have it, then in front.
   *
   * @default none: nothing is issued here
   */
  readonly keys?: readonly JwtKey[] | (() => Awaitable<readonly JwtKey[]>)
  /** @default none */
  readonly trusted?: readonly TrustedIssuer[]
  /** Keeps refresh tokens and revocations; share one between instances. @default neither is there */
  readonly store?: Store
  /** Part of the store that they are kept in. @default 'auth' */
  readonly namespace?: string
  /** Milliseconds that access tokens live. @default 900000, a quarter of an hour */
  readonly ttl?: number
  /** Milliseconds that refresh tokens live; `false` for none. @default 2592000000, thirty days */
  readonly refreshTtl?: number | false
  /** Milliseconds that clocks of others may be off. @default 5000 */
  readonly clockTolerance?: number
  /**
   * Names of claims: of RFC 9068, `scope` as one text; or of the Go framework, `scopes` as a list. Both
   * are read always. @default 'rfc9068'
   */
  readonly claims?: 'rfc9068' | 'go'
  /** Milliseconds after which keys that come from elsewhere are asked for again. @default 300000 */
  readonly keyInterval?: number
  /** Milliseconds between two requests for keys that tokens can bring about. @default 30000 */
  readonly keyCooldown?: number
  /** Tokens whose verification is remembered. @default 10000 */
  readonly cache?: number
}

export type Settings = Required<Omit<JwtAuthOptions, 'audience' | 'store' | 'keys'>> & {
  readonly [K in 'audience' | 'store' | 'keys']: JwtAuthOptions[K] | undefined
}

export const algorithms: readonly JwtAlgorithm[] = ['EdDSA', 'ES256', 'RS256']

/** @throws `invalid_argument` naming the option. */
export function settle(options: JwtAuthOptions): Settings {
  const { issuer, ttl = 900_000, refreshTtl = 2_592_000_000, trusted = [], keys } = options
  if (typeof issuer !== 'string' || issuer === '') throw wrong('issuer', 'give a text')
  checkLives({ ttl, refreshTtl })
  if (Array.isArray(keys)) checkKeys(keys as readonly JwtKey[])
  for (const [at, one] of trusted.entries()) {
    const url = URL.canParse(String(one.jwksUrl)) ? new URL(one.jwksUrl) : undefined
    if (url === undefined || !/^https?:$/.test(url.protocol)) {
      throw wrong(`trusted[${at}].jwksUrl`, 'give a URL such as https://id.example/jwks.json')
    }
    const taken = [issuer, ...trusted.slice(0, at).map((other) => other.issuer)]
    if (one.issuer === '' || taken.includes(one.issuer)) {
      throw wrong(`trusted[${at}].issuer`, 'give another one than the others')
    }
  }
  const claims = options.claims ?? 'rfc9068'
  if (claims !== 'rfc9068' && claims !== 'go') throw wrong('claims', "give 'rfc9068' or 'go'")
  return {
    issuer,
    ttl,
    refreshTtl,
    trusted,
    claims,
    audience: options.audience,
    keys,
    store: options.store,
    namespace: options.namespace ?? 'auth',
    clockTolerance: whole('clockTolerance', options.clockTolerance ?? 5_000, 0, 600_000),
    keyInterval: whole('keyInterval', options.keyInterval ?? 300_000, 1, 2 ** 31 - 1),
    keyCooldown: whole('keyCooldown', options.keyCooldown ?? 30_000, 1, 2 ** 31 - 1),
    cache: whole('cache', options.cache ?? 10_000, 0, 10_000_000),
  }
}

/** @throws `invalid_argument` for keys that cannot be used. */
export function checkKeys(keys: readonly JwtKey[]): void {
  const kids = new Set<string>()
  for (const [at, { kid, alg }] of keys.entries()) {
    if (typeof kid !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(kid) || kids.has(kid)) {
      throw wrong(`keys[${at}].kid`, 'give each a name of its own, of printable ASCII')
    }
    if (!algorithms.includes(alg)) {
      throw wrong(`keys[${at}].alg`, `${String(alg)}; give one of ${algorithms.join(', ')}`)
    }
    kids.add(kid)
  }
}

function whole(field: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw wrong(field, `${value}; give a whole number from ${least} to ${most}`)
}

function wrong(field: string, why: string): MicroError {
  return new MicroError('invalid_argument', `${field}: ${why}`)
}
