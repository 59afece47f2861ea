import { createLifecycle } from '../component/lifecycle.ts'
import { abortable } from '../component/promises.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { Auth, Subject, Tokens } from './auth.ts'
import { checkLives, checkSubject, checkToken, invalidToken } from './auth-rules.ts'
import { type Family, MemoryAuthBackend, type MemoryAuthLimits } from './memory-auth-backend.ts'

export interface MemoryAuthOptions {
  /** Share one between auths to let each verify what the others issue. @default its own */
  readonly backend?: MemoryAuthBackend
  /** Of its own backend. */
  readonly limits?: MemoryAuthLimits
  /** Who vouches for the accounts. @default 'memory' */
  readonly issuer?: string
  /** Milliseconds that access tokens live. @default 900000, a quarter of an hour */
  readonly ttl?: number
  /** Milliseconds that refresh tokens live; `false` for none. @default 2592000000, thirty days */
  readonly refreshTtl?: number | false
}

/**
 * Opaque tokens of 256 random bits, kept by their SHA-256 digests only: who can look into memory, or
 * can time a look-up, does not learn one.
 */
export function memoryAuth(options: MemoryAuthOptions = {}): Auth {
  const backend = options.backend ?? new MemoryAuthBackend(options.limits)
  const { issuer = 'memory', ttl = 900_000, refreshTtl = 2_592_000_000 } = options
  checkLives({ ttl, refreshTtl })
  const lifecycle = createLifecycle({ label: 'auth "memory"' })

  const make = async (family: Family): Promise<Tokens> => {
    const now = Date.now()
    const accessToken = newToken()
    const refreshToken = family.refreshTtl === false ? undefined : newToken()
    const digests = await Promise.all([digestOf(accessToken), digestOf(refreshToken ?? '')])
    const expiresAt = now + family.ttl
    const refreshExpiresAt = family.refreshTtl === false ? undefined : now + family.refreshTtl
    backend.add(digests[0], { kind: 'access', family, expiresAt, used: false })
    if (refreshToken === undefined || refreshExpiresAt === undefined) {
      return { accessToken, expiresAt }
    }
    backend.add(digests[1], { kind: 'refresh', family, expiresAt: refreshExpiresAt, used: false })
    return { accessToken, expiresAt, refreshToken, refreshExpiresAt }
  }

  return {
    name: 'memory',
    contract: 'auth/0',
    supports: { issue: true, refresh: true, revoke: true },
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health: () => ({ status: lifecycle.closed ? 'down' : 'up' }),

    async verify(token, verifyOptions) {
      await lifecycle.connect(verifyOptions)
      checkToken(token)
      const kept = backend.find(await digestOf(token), 'access')
      if (kept === undefined) throw invalidToken()
      return { account: { ...copyOf(kept.family.subject), issuer }, expiresAt: kept.expiresAt }
    },

    async issue(subject, issueOptions = {}) {
      checkSubject(subject)
      checkLives(issueOptions)
      await lifecycle.connect(issueOptions)
      const made = make({
        subject: copyOf(subject),
        ttl: issueOptions.ttl ?? ttl,
        refreshTtl: issueOptions.refreshTtl ?? refreshTtl,
        digests: new Set(),
      })
      return abortable(made, issueOptions.signal)
    },

    async refresh(refreshToken, refreshOptions) {
      await lifecycle.connect(refreshOptions)
      checkToken(refreshToken)
      const kept = backend.find(await digestOf(refreshToken), 'refresh')
      if (kept?.used === true) backend.removeFamily(kept.family)
      if (kept === undefined || kept.used) throw invalidToken()
      kept.used = true
      try {
        return await make(kept.family)
      } catch (error) {
        // Nothing was given for it.
        if (MicroError.is(error, 'resource_exhausted')) kept.used = false
        throw error
      }
    },

    async revoke(token, revokeOptions) {
      await lifecycle.connect(revokeOptions)
      const digest = await digestOf(token)
      const kept = backend.find(digest, 'refresh')
      if (kept === undefined) backend.remove(digest)
      else backend.removeFamily(kept.family)
    },
  }
}

function copyOf({ id, type, scopes, metadata }: Subject): Subject {
  return { id, type, scopes: [...scopes], metadata: { ...metadata } }
}

function newToken(): string {
  return toBase64Url(crypto.getRandomValues(new Uint8Array(32)))
}

async function digestOf(token: string): Promise<string> {
  const bytes = new TextEncoder().encode(token)
  return toBase64Url(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}

function toBase64Url(bytes: Uint8Array): string {
  const base64 = btoa(String.fromCharCode(...bytes))
  return base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
