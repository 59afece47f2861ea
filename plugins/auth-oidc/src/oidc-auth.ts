import { type Auth, checkToken, invalidToken, type Verified } from '@micro/core/auth'
import { type AbortOptions, abortable, createLifecycle, type Health } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import { decodeJwt, decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose'
import { checkAccessToken, checkUnbound } from './access-token.ts'
import { toAccount } from './account.ts'
import { fromJose, Refusal } from './errors.ts'
import { createIntrospector } from './introspect.ts'
import { isAlgorithm } from './key-set.ts'
import { type OidcAuthOptions, settle } from './options.ts'
import { createProvider, type Known } from './provider.ts'
import { type Lapsing, TokenCache } from './token-cache.ts'

interface Proved extends Lapsing {
  readonly verified: Verified
  /** Of the keys that it was proved by; `undefined` where the provider itself said so. */
  readonly generation: number | undefined
}

const compact = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/** Access tokens of one provider. It is first asked when the first token comes. */
export function oidcAuth(options: OidcAuthOptions): Auth {
  const settings = settle(options)
  const { issuer, audience, clockTolerance, introspection, logger } = settings
  const provider = createProvider(settings)
  const introspector = introspection && createIntrospector(provider, settings, introspection)
  const cache = new TokenCache<Proved>(settings.cache)
  const lifecycle = createLifecycle({
    label: 'auth "oidc"',
    async close() {
      introspector?.stop()
      await provider.stop()
    },
  })

  const checkJwt = async (
    token: string,
    { keys, generation }: Known,
  ): Promise<{ claims: JWTPayload; generation: number }> => {
    const { kid, alg = '' } = decodeProtectedHeader(token)
    const key = keys.find(kid, alg)
    if (key === undefined)
      throw new Refusal('the provider has no such key', { newKeysMayHelp: true })
    const { payload } = await jwtVerify(token, key, {
      algorithms: [alg],
      issuer,
      audience: [...audience],
      clockTolerance: clockTolerance / 1_000,
      requiredClaims: ['exp'],
    })
    return { claims: payload, generation }
  }
  /** One look with the keys at hand and, if others may help and can be had, one with those. */
  const proveJwt = async (token: string): Promise<Proved> => {
    // Decoders of base64 pass over what does not belong there.
    if (!compact.test(token)) throw new Refusal('it is no compact JWS')
    // What can be told without a key costs the provider nothing.
    const header = decodeProtectedHeader(token)
    const said = decodeJwt(token)
    if (!isAlgorithm(header.alg)) throw new Refusal('its algorithm is none of ours')
    if (said.iss !== issuer) throw new Refusal('it is of another issuer')
    const known = await provider.current()
    const { claims, generation } = await checkJwt(token, known).catch(async (error: unknown) => {
      const refusal = fromJose(error)
      const { newKeysMayHelp } = refusal
      if (!newKeysMayHelp || !(await provider.renew(known.generation))) throw refusal
      return checkJwt(token, await provider.current())
    })
    checkAccessToken(header, claims, settings.plainTokens)
    checkUnbound(claims)
    const expiresAt = (claims.exp as number) * 1_000
    return {
      verified: Object.freeze({ account: toAccount(claims, settings), expiresAt }),
      until: expiresAt + clockTolerance,
      generation,
    }
  }
  const proveOpaque = async (token: string): Promise<Proved> => {
    if (introspector === undefined || introspection === undefined) {
      throw new Refusal('it is no JWT (introspection)')
    }
    const claims = await introspector.claimsOf(token)
    const expiresAt = claims.exp === undefined ? undefined : claims.exp * 1_000
    const lapses = expiresAt === undefined ? Number.POSITIVE_INFINITY : expiresAt + clockTolerance
    return {
      verified: Object.freeze({ account: toAccount(claims, settings), expiresAt }),
      until: Math.min(lapses, Date.now() + introspection.ttl),
      generation: undefined,
    }
  }
  const find = (token: string): Verified | undefined => {
    const proved = cache.get(token)
    if (proved === undefined) return undefined
    const { verified, generation } = proved
    if (generation === undefined) return verified
    return provider.usable && generation === provider.generation ? verified : undefined
  }
  const refuse = (error: unknown): MicroError => {
    if (MicroError.is(error)) return error
    const { message: reason, cause } = fromJose(error)
    if (cause === undefined) logger?.log('debug', 'a token was refused', { issuer, reason })
    else logger?.log('warn', 'a token was refused', { issuer, reason, error: cause })
    return invalidToken()
  }

  const verify = async (token: string, verifyOptions?: AbortOptions): Promise<Verified> => {
    await lifecycle.connect(verifyOptions)
    checkToken(token)
    const known = find(token)
    if (known !== undefined) return known
    try {
      const proving = isJwt(token) ? proveJwt(token) : proveOpaque(token)
      const proved = await abortable(proving, verifyOptions?.signal)
      cache.set(token, proved)
      return proved.verified
    } catch (error) {
      verifyOptions?.signal?.throwIfAborted()
      throw refuse(error)
    }
  }

  const health = (): Health => {
    if (lifecycle.closed) return { status: 'down' }
    if (provider.failure !== undefined) {
      return provider.usable
        ? { status: 'degraded', detail: `keys of ${issuer} as last known: ${provider.failure}` }
        : { status: 'down', detail: `no keys of ${issuer} can be had: ${provider.failure}` }
    }
    if (introspector?.failure !== undefined) {
      return { status: 'degraded', detail: `introspection at ${issuer}: ${introspector.failure}` }
    }
    return { status: 'up' }
  }

  return {
    name: 'oidc',
    contract: 'auth/0',
    supports: { issue: false, refresh: false, revoke: false },
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health,
    verify,
  }
}

/** Whether it says of itself that it is signed: then no provider needs to be asked what it is. */
function isJwt(token: string): boolean {
  try {
    decodeProtectedHeader(token)
    return true
  } catch {
    return false
  }
}
