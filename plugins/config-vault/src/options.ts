import { MicroError } from '@micro/core/errors'

export interface TokenAuth {
  /** It is renewed as long as Vault allows. */
  readonly token: string
}

export interface AppRoleAuth {
  readonly roleId: string
  readonly secretId: string
  /** Where the auth method is mounted. @default 'approle' */
  readonly mount?: string
}

export interface VaultSourceOptions {
  /** Where Vault is: `https://vault.example:8200`. */
  readonly address: string | URL
  /** The secret, below its mount: `shop` or `teams/blue/shop`. Its keys are those of the config. */
  readonly path: string
  readonly auth: TokenAuth | AppRoleAuth
  /** Where the KV version 2 engine is mounted. @default 'secret' */
  readonly mount?: string
  /** Path in the config that the secret's keys lie under: `db`. @default at the top */
  readonly at?: string
  /** Of Vault Enterprise. @default none */
  readonly namespace?: string
  /** Milliseconds between two looks, more or less a fifth. @default 30000 */
  readonly interval?: number
  /** Milliseconds that a request may take. @default 10000 */
  readonly timeout?: number
}

export interface Settings {
  /** Without a slash at its end. */
  readonly address: string
  readonly mount: string
  readonly path: string
  readonly auth: TokenAuth | AppRoleAuth
  readonly at: readonly string[]
  readonly namespace: string | undefined
  readonly interval: number
  readonly timeout: number
}

const pathFormat = /^[A-Za-z0-9_.~-]+(?:\/[A-Za-z0-9_.~-]+)*$/

/** @throws `invalid_argument` naming the option, never what is secret of it. */
export function settle(options: VaultSourceOptions): Settings {
  const url = URL.canParse(String(options.address)) ? new URL(options.address) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '') {
    throw wrong('address', 'give a URL such as https://vault.example:8200')
  }
  const { auth, namespace, at = '' } = options
  const given = auth as Partial<TokenAuth & AppRoleAuth>
  const byRole = typeof given.roleId === 'string' && typeof given.secretId === 'string'
  if (byRole === (typeof given.token === 'string')) {
    throw wrong('auth', 'give either { token } or { roleId, secretId }')
  }
  if (given.token !== undefined && !/^[\x21-\x7e]+$/.test(given.token)) {
    throw wrong('auth.token', 'it is empty, or has characters that no token has')
  }
  if (at !== '' && at.split('.').includes('')) throw wrong('at', 'give a path such as "db.login"')
  return {
    address: url.href.replace(/\/+$/, ''),
    mount: path('mount', options.mount ?? 'secret'),
    path: path('path', options.path),
    auth: byRole ? { ...auth, mount: path('auth.mount', given.mount ?? 'approle') } : auth,
    at: at === '' ? [] : at.split('.'),
    namespace,
    interval: whole('interval', options.interval ?? 30_000),
    timeout: whole('timeout', options.timeout ?? 10_000),
  }
}

function path(field: string, value: string): string {
  const fits = typeof value === 'string' && pathFormat.test(value)
  if (fits && !value.split('/').some((part) => part === '.' || part === '..')) return value
  throw wrong(field, `${JSON.stringify(value)}; use letters, digits, "_", ".", "~", "-" and "/"`)
}

function whole(field: string, value: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= 2 ** 31 - 1) return value
  throw wrong(field, `${value}; give a whole number from 1 to ${2 ** 31 - 1}`)
}

function wrong(field: string, why: string): MicroError {
  return new MicroError('invalid_argument', `${field}: ${why}`)
}
