import type { Logger } from '@micro/core/logger'
import type { Store } from '@micro/core/store'
import type { AuthorityApi } from './authority/authority-service.ts'
import { invalid } from './errors.ts'

export interface AuthorityOptions {
  /** Where roots, tokens and denials are kept; share one between instances. It stays its owner's. */
  readonly store: Store
  /** What all names begin with: `example.org` for `spiffe://example.org/service/orders`. */
  readonly trustDomain: string
  /** Encrypts in the store what must stay secret. At least 16 characters; lost, all is lost. */
  readonly secret: string
  /** Part of the store that it uses. @default 'authority' */
  readonly namespace?: string
  /** Milliseconds that a certificate lives. @default 3600000 */
  readonly ttl?: number
  /** Milliseconds that a root lives. @default 315360000000, ten years */
  readonly rootTtl?: number
  /** A root of your own, as PEM: the certificate and its ECDSA P-256 key. @default one is made */
  readonly root?: { readonly cert: string; readonly key: string }
  /** Told of all that is issued, denied and refused. @default none */
  readonly logger?: Logger
}

export interface X509IdentityOptions {
  /** Name of this service, as the bootstrap token says it. */
  readonly service: string
  /** The authority itself, or a client of its service. */
  readonly authority: AuthorityApi
  /** As of the authority. */
  readonly trustDomain: string
  /**
   * The bootstrap token, for the first start. @default none: there must be a certificate in `keep`
   */
  readonly token?: string
  /**
   * Where key and certificate are kept between starts; encrypt it. It stays its owner's.
   * @default nowhere: every start needs a new token
   */
  readonly keep?: Store
  /** Milliseconds between looks for new roots and denials. @default 10000 */
  readonly interval?: number
  /** Milliseconds that one request to the authority may take. @default 10000 */
  readonly timeout?: number
}

const day = 86_400_000
/** Clocks of a fleet may differ by this many milliseconds. */
export const clockSkew = 30_000

const nameFormat = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/
const domainFormat = /^[a-z0-9](?:[a-z0-9._-]{0,253}[a-z0-9])?$/

export type AuthoritySettings = AuthorityOptions &
  Required<Pick<AuthorityOptions, 'namespace' | 'ttl' | 'rootTtl'>>

/** @throws `invalid_argument`, naming the option. */
export function settleAuthority(options: AuthorityOptions): AuthoritySettings {
  const factory = 'createAuthority'
  known(factory, options, [
    'store',
    'trustDomain',
    'secret',
    'namespace',
    'ttl',
    'rootTtl',
    'root',
    'logger',
  ])
  const settings = {
    ...options,
    namespace: options.namespace ?? 'authority',
    ttl: options.ttl ?? 3_600_000,
    rootTtl: options.rootTtl ?? 3_650 * day,
  }
  checkDomain(factory, settings.trustDomain)
  if (typeof settings.secret !== 'string' || settings.secret.length < 16) {
    throw invalid(factory, 'secret', 'give at least 16 characters, which nobody can guess')
  }
  whole(factory, 'ttl', settings.ttl, 1_000, 365 * day)
  whole(factory, 'rootTtl', settings.rootTtl, settings.ttl, 36_500 * day)
  return settings
}

export type IdentitySettings = X509IdentityOptions &
  Required<Pick<X509IdentityOptions, 'interval' | 'timeout'>>

/** @throws `invalid_argument`, naming the option. */
export function settleIdentity(options: X509IdentityOptions): IdentitySettings {
  const factory = 'x509Identity'
  known(factory, options, [
    'service',
    'authority',
    'trustDomain',
    'token',
    'keep',
    'interval',
    'timeout',
  ])
  const settings = {
    ...options,
    interval: options.interval ?? 10_000,
    timeout: options.timeout ?? 10_000,
  }
  checkName(factory, settings.service)
  checkDomain(factory, settings.trustDomain)
  if (settings.token === undefined && settings.keep === undefined) {
    throw invalid(
      factory,
      'token',
      'give a bootstrap token, or keep: a store that has a certificate',
    )
  }
  whole(factory, 'interval', settings.interval, 50, day)
  whole(factory, 'timeout', settings.timeout, 1, day)
  return settings
}

/** @throws `invalid_argument` for what cannot name a service. */
export function checkName(factory: string, service: string): void {
  if (typeof service === 'string' && nameFormat.test(service)) return
  throw invalid(
    factory,
    'service',
    `${JSON.stringify(service)}; use up to 128 letters, digits, "_", "." and "-"`,
  )
}

export function whole(
  factory: string,
  name: string,
  value: number,
  least: number,
  most: number,
): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  throw invalid(factory, name, `${value}; give a whole number from ${least} to ${most}`)
}

function checkDomain(factory: string, domain: string): void {
  if (typeof domain === 'string' && domainFormat.test(domain)) return
  throw invalid(
    factory,
    'trustDomain',
    `${JSON.stringify(domain)}; give a name such as example.org, in lower case`,
  )
}

function known(factory: string, options: object, names: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) {
      throw invalid(factory, name, `unknown option; known are ${names.join(', ')}`)
    }
  }
}
