import {
  type Auth,
  authLimits,
  checkLives,
  checkSubject,
  checkToken,
  type IssueOptions,
  invalidToken,
  type Subject,
  type Tokens,
  type Verified,
} from '@micro/core/auth'
import { type AbortOptions, abortable, createLifecycle, type Health } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import { namespacedStore } from '@micro/core/store'
import {
  decodeJwt,
  decodeProtectedHeader,
  importJWK,
  type JSONWebKeySet,
  jwtVerify,
  SignJWT,
} from 'jose'
import { toClaims, toSubject } from './claims.ts'
import { fromJose } from './errors.ts'
import { fetchJwks } from './fetch-jwks.ts'
import { createKeyRing, type KeyRing } from './key-ring.ts'
import {
  checkKeys,
  type JwtAuthOptions,
  type JwtKey,
  settle,
  type TrustedIssuer,
} from './options.ts'
import { createRefreshTokens, type Family } from './refresh-tokens.ts'
import { createRevocations } from './revocations.ts'
import { type Proved, VerifiedCache } from './verified-cache.ts'

export interface JwtAuth extends Auth {
  /** The public keys of what is issued here, for others to verify with. */
  jwks(): Promise<JSONWebKeySet>
}

interface Issuer {
  readonly ring: KeyRing
  readonly audience: string | undefined
  readonly account: NonNullable<TrustedIssuer['account']>
}

const compact = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/** Access tokens are signed, refresh tokens opaque. Only keys decide which algorithm is good. */
export function jwtAuth(options: JwtAuthOptions): JwtAuth {
  const settings = settle(options)
  const { issuer, audience, keys } = settings
  const issuers = new Map<string, Issuer>()
  const own = keys && createKeyRing({ ...ringOf(issuer), load: async () => loadKeys(keys) })
  if (own !== undefined) issuers.set(issuer, { ring: own, audience, account: toSubject })
  for (const one of settings.trusted) {
    issuers.set(one.issuer, {
      ring: createKeyRing({
        ...ringOf(one.issuer),
        load: (signal) => fetchJwks(one.jwksUrl, signal),
      }),
      audience: one.audience ?? audience,
      account: one.account ?? toSubject,
    })
  }
  const cache = new VerifiedCache(settings.cache)
  const store =
    settings.store && namespacedStore({ store: settings.store, namespace: settings.namespace })
  const revocations = store && createRevocations(store)
  const refreshTokens = store && own && createRefreshTokens(store)
  const lifecycle = createLifecycle({
    label: 'auth "jwt"',
    async open() {
      await revocations?.start({})
    },
    async close() {
      for (const { ring } of issuers.values()) ring.stop()
      await revocations?.stop()
    },
  })

  function ringOf(subject: string) {
    const { keyInterval: interval, keyCooldown: cooldown } = settings
    return { subject: `issuer ${subject}`, interval, cooldown }
  }

  /** The whole look, at what has not been seen before. */
  const prove = async (token: string): Promise<Proved> => {
    // Decoders of base64 pass over what does not belong there.
    if (!compact.test(token)) throw invalidToken()
    const { kid, alg } = decodeProtectedHeader(token)
    const { iss } = decodeJwt(token)
    const known = issuers.get(typeof iss === 'string' ? iss : '')
    const key = await known?.ring.find(kid)
    // The algorithm is the key's. What the token says of it must be that, and decides nothing.
    if (known === undefined || key === undefined || key.alg !== alg) throw invalidToken()
    const { payload } = await jwtVerify(token, key.key, {
      algorithms: [key.alg],
      issuer: iss as string,
      clockTolerance: settings.clockTolerance / 1_000,
      requiredClaims: ['sub', 'exp'],
      ...(known.audience === undefined ? {} : { audience: known.audience }),
    })
    const subject = known.account(payload)
    if (subject === undefined || payload.exp === undefined) throw invalidToken()
    return {
      account: { ...subject, issuer: iss as string },
      expiresAt: payload.exp * 1_000,
      generation: known.ring.generation,
      ids: [payload.jti, payload['family']].filter((id) => typeof id === 'string'),
    }
  }
  const stillGood = (proved: Proved): boolean =>
    proved.expiresAt + settings.clockTolerance > Date.now() &&
    issuers.get(proved.account.issuer)?.ring.generation === proved.generation &&
    !proved.ids.some((id) => revocations?.has(id))

  const verify = async (token: string, verifyOptions?: AbortOptions): Promise<Verified> => {
    await lifecycle.connect(verifyOptions)
    checkToken(token)
    let proved = cache.get(token)
    if (proved === undefined || !stillGood(proved)) {
      cache.delete(token)
      try {
        proved = await abortable(prove(token), verifyOptions?.signal)
      } catch (error) {
        verifyOptions?.signal?.throwIfAborted()
        throw fromJose(error)
      }
      if (!stillGood(proved)) throw invalidToken()
      cache.set(token, proved)
    }
    const { account, expiresAt } = proved
    const { scopes, metadata } = account
    return { account: { ...account, scopes: [...scopes], metadata: { ...metadata } }, expiresAt }
  }

  const sign = async (
    ring: KeyRing,
    family: Omit<Family, 'refreshTtl'>,
  ): Promise<Pick<Tokens, 'accessToken' | 'expiresAt'>> => {
    const signing = (await ring.all()).find(({ jwk }) => jwk.d !== undefined)
    if (signing === undefined) {
      throw new MicroError('failed_precondition', 'keys: none of them is private; give one to sign')
    }
    const now = Date.now()
    const expires = Math.ceil((now + family.ttl) / 1_000)
    const token = new SignJWT({
      ...toClaims(family.subject, settings.claims),
      family: family.id,
    })
      .setProtectedHeader({ alg: signing.alg, kid: signing.jwk.kid ?? '', typ: 'at+jwt' })
      .setIssuer(issuer)
      .setSubject(family.subject.id)
      .setIssuedAt(Math.floor(now / 1_000))
      .setExpirationTime(expires)
      .setJti(crypto.randomUUID())
    if (audience !== undefined) token.setAudience(audience)
    const accessToken = await token.sign(await importJWK(signing.jwk, signing.alg))
    if (accessToken.length > authLimits.tokenBytes) {
      throw new MicroError('invalid_argument', 'scopes, metadata: they make too long a token')
    }
    return { accessToken, expiresAt: expires * 1_000 }
  }
  const make = async (
    ring: KeyRing,
    family: Family | Omit<Family, 'refreshTtl'>,
    o: AbortOptions,
  ) => {
    const access = await sign(ring, family)
    if (refreshTokens === undefined || !('refreshTtl' in family)) return access
    const { token, expiresAt } = await refreshTokens.make(family, o)
    return { ...access, refreshToken: token, refreshExpiresAt: expiresAt }
  }
  const endFamily = async ({ id, refreshTtl, ttl }: Family): Promise<void> => {
    await revocations?.add(id, Date.now() + Math.max(refreshTtl, ttl), {})
  }

  const issue = async (subject: Subject, issueOptions: IssueOptions = {}): Promise<Tokens> => {
    checkSubject(subject)
    checkLives(issueOptions)
    await lifecycle.connect(issueOptions)
    const refreshTtl = issueOptions.refreshTtl ?? settings.refreshTtl
    const { id, type, scopes, metadata } = subject
    const family = {
      id: crypto.randomUUID(),
      subject: { id, type, scopes: [...scopes], metadata: { ...metadata } },
      ttl: issueOptions.ttl ?? settings.ttl,
      ...(refreshTtl === false ? {} : { refreshTtl }),
    }
    return make(own as KeyRing, family, { signal: issueOptions.signal })
  }
  const refresh = async (token: string, refreshOptions: AbortOptions = {}): Promise<Tokens> => {
    await lifecycle.connect(refreshOptions)
    checkToken(token)
    const family = await refreshTokens?.use(token, endFamily, refreshOptions)
    if (family === undefined || revocations?.has(family.id) === true) throw invalidToken()
    return make(own as KeyRing, family, refreshOptions)
  }
  const revoke = async (token: string, revokeOptions: AbortOptions = {}): Promise<void> => {
    await lifecycle.connect(revokeOptions)
    const family = await refreshTokens?.find(token, revokeOptions)
    if (family !== undefined) return endFamily(family)
    const proved = await prove(token).catch((error: unknown) => {
      // What is no token needs no revoking.
      if (MicroError.is(fromJose(error), 'unauthenticated')) return undefined
      throw error
    })
    const [jti] = proved?.ids ?? []
    if (proved === undefined || jti === undefined) return
    await revocations?.add(jti, proved.expiresAt, revokeOptions)
  }

  const health = (): Health => {
    if (lifecycle.closed) return { status: 'down' }
    for (const [name, { ring }] of issuers) {
      if (ring.failure === undefined) continue
      return { status: 'degraded', detail: `keys of ${name} as last known: ${ring.failure}` }
    }
    return revocations?.health() ?? { status: 'up' }
  }

  return {
    name: 'jwt',
    contract: 'auth/0',
    supports: {
      issue: own !== undefined,
      refresh: refreshTokens !== undefined,
      revoke: revocations !== undefined,
    },
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health,
    verify,
    ...(own === undefined ? {} : { issue }),
    ...(refreshTokens === undefined ? {} : { refresh }),
    ...(revocations === undefined ? {} : { revoke }),
    async jwks() {
      await lifecycle.connect()
      const ring = (await own?.all()) ?? []
      return { keys: ring.map(({ jwk, alg }) => ({ ...publicOf(jwk), alg, use: 'sig' })) }
    },
  }
}

async function loadKeys(keys: NonNullable<JwtAuthOptions['keys']>): Promise<readonly JwtKey[]> {
  const loaded = typeof keys === 'function' ? await keys() : keys
  checkKeys(loaded)
  return loaded
}

/** Only what verifies: no private part can slip through by a name that is not known here. */
function publicOf({ kty, kid, crv, x, y, n, e }: JSONWebKeySet['keys'][number]) {
  return JSON.parse(JSON.stringify({ kty, kid, crv, x, y, n, e })) as JSONWebKeySet['keys'][number]
}
