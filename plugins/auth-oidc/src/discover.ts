import { MicroError } from '@micro/core/errors'
import { fetchJson, type Json } from './fetch-json.ts'
import { type KeySet, toKeySet } from './key-set.ts'
import type { Settings } from './options.ts'
import { isAllowed } from './secure-url.ts'

/** What a provider says of itself. */
export interface Discovered {
  readonly keys: KeySet
  readonly introspectionUrl: URL | undefined
  /** Another text means other keys. */
  readonly keysText: string
}

/**
 * The document and the keys that it leads to (OpenID Connect Discovery 1.0, section 4).
 *
 * @throws `unavailable` naming the URL and what is wrong there.
 */
export async function discover(settings: Settings, signal: AbortSignal): Promise<Discovered> {
  const { issuer } = settings
  const place = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const { json } = await fetchJson(new URL(place), {}, settings, signal)
  // Another's document would have its keys believed in this one's name.
  if (json['issuer'] !== issuer) {
    const said = JSON.stringify(json['issuer'])?.slice(0, 200)
    throw new MicroError('unavailable', `${place}: its issuer is ${said}, not "${issuer}" (issuer)`)
  }
  const keysUrl = urlOf(json, 'jwks_uri', place, settings)
  if (keysUrl === undefined) throw new MicroError('unavailable', `${place}: no jwks_uri`)
  const introspectionUrl =
    settings.introspection && urlOf(json, 'introspection_endpoint', place, settings)
  const fetched = await fetchJson(
    keysUrl,
    { headers: { accept: 'application/jwk-set+json, application/json' } },
    settings,
    signal,
  )
  const keys = await toKeySet(fetched.json, keysUrl.origin + keysUrl.pathname)
  return { keys, keysText: fetched.text, introspectionUrl }
}

function urlOf(json: Json, name: string, place: string, settings: Settings): URL | undefined {
  const value = json[name]
  if (value === undefined) return undefined
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  if (url !== undefined && isAllowed(url, new URL(settings.issuer), settings.allowInsecure)) {
    return url
  }
  throw new MicroError('unavailable', `${place}: ${name} is no https: URL`)
}
