import { jitter, unrefTimer } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import { type CryptoKey, importJWK, type JWK } from 'jose'
import { algorithms, type JwtAlgorithm } from './options.ts'

export interface KeyRingOptions {
  /** For errors and health. */
  readonly subject: string
  readonly load: (signal: AbortSignal) => Promise<readonly JWK[]>
  /** Milliseconds after which they are loaded again. */
  readonly interval: number
  /** Milliseconds between two loads that unknown names bring about. */
  readonly cooldown: number
}

interface RingKey {
  readonly kid: string | undefined
  readonly alg: JwtAlgorithm
  readonly jwk: JWK
  readonly key: CryptoKey
}

/** The keys of one issuer. The last known stay good while no others can be had. */
export interface KeyRing {
  /**
   * The key that a token names. An unknown name loads anew, seldom.
   *
   * @throws `unavailable` while none could be loaded at all.
   */
  find(kid: string | undefined): Promise<RingKey | undefined>
  all(): Promise<readonly RingKey[]>
  /** Why they could not be loaded the last time. */
  readonly failure: string | undefined
  /** Changes when the keys do. */
  readonly generation: number
  stop(): void
}

export function createKeyRing({ subject, load, interval, cooldown }: KeyRingOptions): KeyRing {
  const stopped = new AbortController()
  let keys: readonly RingKey[] | undefined
  let text = ''
  let loading: Promise<readonly RingKey[]> | undefined
  let loadedAt = Number.NEGATIVE_INFINITY
  let failure: string | undefined
  let generation = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  const loadOnce = async (): Promise<readonly RingKey[]> => {
    loadedAt = performance.now()
    clearTimeout(timer)
    timer = unrefTimer(setTimeout(() => refresh().catch(() => undefined), jitter(interval)))
    try {
      const jwks = await load(stopped.signal)
      const next = JSON.stringify(jwks)
      if (keys === undefined || next !== text) {
        keys = (await Promise.all(jwks.map(toRingKey))).filter((one) => one !== undefined)
        text = next
        generation += 1
      }
      failure = undefined
      return keys
    } catch (error) {
      failure = MicroError.is(error) ? error.detail : String(error)
      if (keys !== undefined) return keys
      throw new MicroError('unavailable', `${subject}: no keys can be had: ${failure}`, {
        cause: error,
      })
    } finally {
      loading = undefined
      if (stopped.signal.aborted) clearTimeout(timer)
    }
  }
  const refresh = (): Promise<readonly RingKey[]> => {
    loading ??= runInRoot(loadOnce)
    return loading
  }
  const pick = (kid: string | undefined): RingKey | undefined => {
    if (keys === undefined) return undefined
    // A token that names none is good where there is no choice.
    if (kid === undefined) return keys.length === 1 ? keys[0] : undefined
    return keys.find((one) => one.kid === kid)
  }

  return {
    async find(kid) {
      if (keys === undefined) await refresh()
      const found = pick(kid)
      if (found !== undefined || performance.now() - loadedAt < cooldown) return found
      await refresh()
      return pick(kid)
    },
    all: async () => keys ?? (await refresh()),
    get failure() {
      return failure
    },
    get generation() {
      return generation
    },
    stop() {
      stopped.abort(new MicroError('failed_precondition', `${subject}: the auth is closed`))
      clearTimeout(timer)
    },
  }
}

/** Of a set, keys for other uses or of algorithms that are not taken are passed over. */
async function toRingKey(jwk: JWK): Promise<RingKey | undefined> {
  const alg = jwk.alg ?? defaultAlgorithm(jwk)
  if (!algorithms.includes(alg as JwtAlgorithm) || (jwk.use ?? 'sig') !== 'sig') return undefined
  if (!fits(jwk, alg as JwtAlgorithm)) return undefined
  // Only the public half verifies.
  const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, oth: _oth, key_ops: _ops, ...open } = jwk
  const key = await importJWK(open, alg)
  if (key instanceof Uint8Array) return undefined
  return { kid: jwk.kid, alg: alg as JwtAlgorithm, jwk, key }
}

function defaultAlgorithm({ kty, crv }: JWK): JwtAlgorithm | undefined {
  if (kty === 'OKP' && crv === 'Ed25519') return 'EdDSA'
  if (kty === 'EC' && crv === 'P-256') return 'ES256'
  return kty === 'RSA' ? 'RS256' : undefined
}

function fits(jwk: JWK, alg: JwtAlgorithm): boolean {
  return defaultAlgorithm(jwk) === alg
}
