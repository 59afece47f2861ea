import type { Account } from '@micro/core/auth'
import { MicroError } from '@micro/core/errors'
import type { Logger } from '@micro/core/logger'
import type { JWTPayload } from 'jose'
import { isLoopback } from './secure-url.ts'

/** Asks the provider about tokens that are no JWT (RFC 7662), as one of its clients. */
export interface IntrospectionOptions {
  readonly clientId: string
  readonly clientSecret: string
  /** How the client shows its secret. @default 'client_secret_basic' */
  readonly authMethod?: 'client_secret_basic' | 'client_secret_post'
  /** Milliseconds for which an answer holds: a revoked token is good for as long. @default 10000 */
  readonly ttl?: number
  /** Requests under way at once; tokens beyond them are `resource_exhausted`. @default 100 */
  readonly concurrency?: number
}

export interface OidcAuthOptions {
  /** The provider, exactly as its tokens and its discovery document say it: `https://id.example`. */
  readonly issuer: string
  /** What tokens must be meant for; of several, one is enough. */
  readonly audience: string | readonly string[]
  /**
   * What claims mean, laid over the default; `undefined` refuses the token. It sees verified tokens
   * only. By default `id` is `sub`, or else `client_id` or `azp`; `type` is `service` if that is the
   * client itself, or else `user`; `scopes` are those of `scope` or `scp`, and of `roles`.
   */
  readonly account?: (claims: JWTPayload) => Partial<Omit<Account, 'issuer'>> | undefined
  /**
   * The claim that lists roles, or the path to it: `['realm_access', 'roles']`. The role `admin`
   * becomes the scope `role:admin`. @default none
   */
  readonly roles?: string | readonly string[]
  /**
   * Takes access tokens without the type `at+jwt` of RFC 9068 too: `true` those that have `scope`,
   * `scp` or `client_id` and nothing that ID tokens have; a function decides by the claims.
   *
   * @default false
   */
  readonly plainTokens?: boolean | ((claims: JWTPayload) => boolean)
  /** @default none: tokens that are no JWT are refused */
  readonly introspection?: IntrospectionOptions
  /** Takes `http:` from elsewhere than this machine: whoever is in between can then be anybody. @default false */
  readonly allowInsecure?: boolean
  /** Milliseconds that the provider's clock may be off. @default 5000 */
  readonly clockTolerance?: number
  /** Milliseconds after which document and keys are asked for again. @default 300000 */
  readonly keyInterval?: number
  /** Milliseconds between two requests for keys that tokens can bring about. @default 30000 */
  readonly keyCooldown?: number
  /** Milliseconds that keys stay good while none can be had. @default 86400000, a day */
  readonly keyMaxAge?: number
  /** Milliseconds that one request to the provider may take. @default 5000 */
  readonly timeout?: number
  /** Bytes of one answer of the provider. @default 1048576 */
  readonly maxBytes?: number
  /** Tokens whose verification is remembered. @default 10000 */
  readonly cache?: number
  /** Makes the requests: for a proxy, or a certificate authority of your own. @default `fetch` */
  readonly fetch?: typeof globalThis.fetch
  /** Told why tokens are refused (debug) and what the provider fails at (warn). @default none */
  readonly logger?: Logger
}

type Optional = 'account' | 'introspection' | 'fetch' | 'logger'

export type Settings = Required<Omit<OidcAuthOptions, Optional | 'audience' | 'roles'>> & {
  readonly [K in Exclude<Optional, 'introspection'>]: OidcAuthOptions[K] | undefined
} & {
  readonly audience: readonly string[]
  readonly roles: readonly string[]
  readonly introspection: Required<IntrospectionOptions> | undefined
}

const known: Readonly<Record<keyof OidcAuthOptions, true>> = {
  issuer: true,
  audience: true,
  account: true,
  roles: true,
  plainTokens: true,
  introspection: true,
  allowInsecure: true,
  clockTolerance: true,
  keyInterval: true,
  keyCooldown: true,
  keyMaxAge: true,
  timeout: true,
  maxBytes: true,
  cache: true,
  fetch: true,
  logger: true,
}
const knownOfIntrospection: Readonly<Record<keyof IntrospectionOptions, true>> = {
  clientId: true,
  clientSecret: true,
  authMethod: true,
  ttl: true,
  concurrency: true,
}
const longestTimer = 2 ** 31 - 1

/** @throws `invalid_argument` naming the option, never what is secret of it. */
export function settle(options: OidcAuthOptions): Settings {
  checkNames('', options, known)
  const { issuer, plainTokens = false, allowInsecure = false, introspection } = options
  flag('allowInsecure', allowInsecure)
  checkIssuer(issuer, allowInsecure)
  if (typeof plainTokens !== 'function') flag('plainTokens', plainTokens)
  for (const name of ['account', 'fetch'] as const) {
    if (options[name] !== undefined && typeof options[name] !== 'function') {
      throw wrong(name, 'give a function')
    }
  }
  return {
    issuer,
    plainTokens,
    allowInsecure,
    audience: texts('audience', options.audience, 'give what the provider writes into `aud`'),
    roles: options.roles === undefined ? [] : texts('roles', options.roles, 'give names of claims'),
    account: options.account,
    introspection: introspection && settleIntrospection(introspection),
    fetch: options.fetch,
    logger: options.logger,
    clockTolerance: whole('clockTolerance', options.clockTolerance ?? 5_000, 0, 600_000),
    keyInterval: whole('keyInterval', options.keyInterval ?? 300_000, 1, longestTimer / 2),
    keyCooldown: whole('keyCooldown', options.keyCooldown ?? 30_000, 1, longestTimer),
    keyMaxAge: whole('keyMaxAge', options.keyMaxAge ?? 86_400_000, 1, Number.MAX_SAFE_INTEGER),
    timeout: whole('timeout', options.timeout ?? 5_000, 1, longestTimer),
    maxBytes: whole('maxBytes', options.maxBytes ?? 2 ** 20, 1, 2 ** 30),
    cache: whole('cache', options.cache ?? 10_000, 0, 10_000_000),
  }
}

function checkIssuer(issuer: string, allowInsecure: boolean): void {
  const url = typeof issuer === 'string' && URL.canParse(issuer) ? new URL(issuer) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw wrong('issuer', 'give a URL such as https://id.example')
  }
  if (/[?#]/.test(issuer) || url.username !== '' || url.password !== '') {
    throw wrong('issuer', 'give it without query, fragment and credentials')
  }
  if (url.protocol === 'http:' && !allowInsecure && !isLoopback(url)) {
    throw wrong(
      'issuer',
      'http: lets others answer for the provider; give https:, or allowInsecure',
    )
  }
}

function settleIntrospection(options: IntrospectionOptions): Required<IntrospectionOptions> {
  checkNames('introspection.', options, knownOfIntrospection)
  const { clientId, clientSecret, authMethod = 'client_secret_basic' } = options
  for (const [name, value] of Object.entries({ clientId, clientSecret })) {
    // RFC 6749, appendix A.1
    if (typeof value === 'string' && /^[\x20-\x7e]+$/.test(value)) continue
    throw wrong(`introspection.${name}`, 'give what the provider has this client registered with')
  }
  if (authMethod !== 'client_secret_basic' && authMethod !== 'client_secret_post') {
    throw wrong('introspection.authMethod', "give 'client_secret_basic' or 'client_secret_post'")
  }
  return {
    clientId,
    clientSecret,
    authMethod,
    ttl: whole('introspection.ttl', options.ttl ?? 10_000, 0, 3_600_000),
    concurrency: whole('introspection.concurrency', options.concurrency ?? 100, 1, 100_000),
  }
}

function checkNames(at: string, options: object, names: Readonly<Record<string, true>>): void {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(names, name)) continue
    throw wrong(at + name, `unknown option; known are ${Object.keys(names).join(', ')}`)
  }
}

function texts(field: string, value: string | readonly string[], fix: string): readonly string[] {
  const list = typeof value === 'string' ? [value] : value
  const fits = Array.isArray(list) && list.length > 0
  if (fits && list.every((one) => typeof one === 'string' && one !== '')) return [...list]
  throw wrong(field, fix)
}

function flag(field: string, value: boolean): void {
  if (typeof value !== 'boolean') throw wrong(field, 'give true or false')
}

function whole(field: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw wrong(field, `${value}; give a whole number from ${least} to ${most}`)
}

function wrong(field: string, why: string): MicroError {
  return new MicroError('invalid_argument', `${field}: ${why}`)
}
