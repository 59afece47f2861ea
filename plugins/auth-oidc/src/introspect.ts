import { runInRoot } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import type { JWTPayload } from 'jose'
import { checkKind, checkUnbound } from './access-token.ts'
import { Refusal } from './errors.ts'
import { fetchJson, type Json } from './fetch-json.ts'
import type { Settings } from './options.ts'
import type { Provider } from './provider.ts'
import { type Lapsing, TokenCache } from './token-cache.ts'

/** Asks the provider about tokens that say nothing themselves (RFC 7662). */
export interface Introspector {
  /**
   * The claims of an access token that is active and meant for us.
   *
   * @throws Refusal, `unavailable`, `resource_exhausted`
   */
  claimsOf(token: string): Promise<JWTPayload>
  /** Why the last request failed. */
  readonly failure: string | undefined
  stop(): void
}

/** The tokens that RFC 6750, section 2.1, can carry. */
const bearerToken = /^[A-Za-z0-9._~+/-]+=*$/

export function createIntrospector(
  provider: Provider,
  settings: Settings,
  options: NonNullable<Settings['introspection']>,
): Introspector {
  const asking = new Map<string, Promise<JWTPayload>>()
  const refused = new TokenCache<Lapsing & { readonly refusal: Refusal }>(settings.cache)
  const stopped = new AbortController()
  let failure: string | undefined

  const ask = async (token: string): Promise<JWTPayload> => {
    try {
      const { introspectionUrl: url } = await provider.current()
      if (url === undefined) {
        const { issuer } = settings
        throw new MicroError('unavailable', `issuer ${issuer}: it has no introspection_endpoint`)
      }
      const { json } = await fetchJson(url, requestFor(token, options), settings, stopped.signal)
      failure = undefined
      return checkAnswer(json, settings)
    } catch (error) {
      if (error instanceof Refusal) {
        refused.set(token, { refusal: error, until: Date.now() + options.ttl })
      } else if (!stopped.signal.aborted) {
        failure = MicroError.is(error) ? error.detail : String(error)
        settings.logger?.log('warn', 'a token could not be introspected', { error })
      }
      throw error
    } finally {
      asking.delete(token)
    }
  }

  return {
    async claimsOf(token) {
      if (!bearerToken.test(token)) throw new Refusal('it is no bearer token')
      const known = refused.get(token)
      if (known !== undefined) throw known.refusal
      const running = asking.get(token)
      if (running !== undefined) return running
      const { concurrency } = options
      if (asking.size >= concurrency) {
        const detail = `${concurrency} introspections are under way (introspection.concurrency)`
        throw new MicroError('resource_exhausted', detail)
      }
      const work = runInRoot(() => ask(token))
      asking.set(token, work)
      return work
    },
    get failure() {
      return failure
    },
    stop() {
      stopped.abort(new MicroError('failed_precondition', 'auth "oidc" is closed'))
    },
  }
}

function requestFor(
  token: string,
  { clientId, clientSecret, authMethod }: NonNullable<Settings['introspection']>,
): Pick<RequestInit, 'method' | 'headers' | 'body'> {
  const body = new URLSearchParams({ token, token_type_hint: 'access_token' })
  if (authMethod === 'client_secret_post') {
    body.set('client_id', clientId)
    body.set('client_secret', clientSecret)
    return { method: 'POST', body }
  }
  // Both are form-encoded first (RFC 6749, section 2.3.1).
  const [id, secret] = [clientId, clientSecret].map((one) =>
    new URLSearchParams({ '': one }).toString().slice(1),
  )
  const basic = Buffer.from(`${id}:${secret}`).toString('base64')
  return { method: 'POST', body, headers: { authorization: `Basic ${basic}` } }
}

/** The same checks that a JWT gets, of what RFC 7662, section 2.2, has the server say. */
function checkAnswer(json: Json, { issuer, audience, clockTolerance }: Settings): JWTPayload {
  const { active, token_type: type, iss, aud, exp, nbf } = json
  if (active !== true) throw new Refusal('the provider says that it is not active')
  // Refresh tokens are active too, and those bound to a key are of another type.
  if (typeof type !== 'string' || type.toLowerCase() !== 'bearer') {
    throw new Refusal('its token_type is not Bearer')
  }
  if (iss !== undefined && iss !== issuer) throw new Refusal('it is of another issuer')
  const audiences = Array.isArray(aud) ? aud : [aud]
  if (!audiences.some((one) => audience.includes(one))) throw new Refusal('it is meant for others')
  const now = Date.now()
  if (exp !== undefined && !(seconds(exp) * 1_000 + clockTolerance > now)) {
    throw new Refusal('it has expired')
  }
  if (nbf !== undefined && !(seconds(nbf) * 1_000 - clockTolerance <= now)) {
    throw new Refusal('it is not good yet')
  }
  checkKind(json)
  checkUnbound(json)
  return json
}

/** What is no number is neither before nor after anything. */
function seconds(value: unknown): number {
  return typeof value === 'number' ? value : Number.NaN
}
