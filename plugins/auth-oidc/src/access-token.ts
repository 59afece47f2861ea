import type { JWTPayload, ProtectedHeaderParameters } from 'jose'
import { ask, Refusal } from './errors.ts'
import type { Settings } from './options.ts'

/** Claims that ID tokens alone have (OpenID Connect Core 1.0, sections 2 and 3.3.2.11). */
const ofIdTokens = ['nonce', 'at_hash', 'c_hash', 's_hash']
/** Claims of access tokens (RFC 9068, sections 2.2 and 2.2.3), and what is customary instead. */
const ofAccessTokens = ['scope', 'scp', 'client_id']
/** Names by which some providers tell tokens apart in their claims, and what they call this kind. */
const kinds: Readonly<Record<string, readonly string[]>> = {
  token_use: ['access', 'access_token'],
  typ: ['Bearer', 'at+jwt'],
}

/**
 * The same provider signs ID tokens, logout tokens and others with the same keys: only an access token
 * is meant to be shown here.
 *
 * @throws Refusal
 */
export function checkAccessToken(
  header: ProtectedHeaderParameters,
  claims: JWTPayload,
  plainTokens: Settings['plainTokens'],
): void {
  const type = typeof header.typ === 'string' ? header.typ.toLowerCase() : ''
  if (type === 'at+jwt' || type === 'application/at+jwt') return
  if (type !== '' && type !== 'jwt') throw new Refusal('its type is of another kind of token')
  if (plainTokens === false) throw new Refusal('its type is not at+jwt (plainTokens)')
  if (typeof plainTokens === 'function') {
    if (ask('plainTokens', () => plainTokens(claims))) return
    throw new Refusal('plainTokens() does not take it')
  }
  checkKind(claims)
  if (ofIdTokens.some((name) => claims[name] !== undefined)) throw new Refusal('it is an ID token')
  if (!ofAccessTokens.some((name) => claims[name] !== undefined)) {
    throw new Refusal(`it has none of ${ofAccessTokens.join(', ')}`)
  }
}

/** @throws Refusal for what its own claims call by another name. */
export function checkKind(claims: JWTPayload): void {
  for (const [name, names] of Object.entries(kinds)) {
    const kind = claims[name]
    if (kind !== undefined && !names.includes(String(kind))) {
      throw new Refusal(`"${name}" says that it is another kind of token`)
    }
  }
}

/** @throws Refusal for one that is good only with a proof of its holder's key, which nobody asks for here. */
export function checkUnbound(claims: JWTPayload): void {
  if (claims['cnf'] !== undefined) throw new Refusal('it is bound to a key of its holder (cnf)')
}
