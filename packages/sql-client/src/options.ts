import { MicroError } from '@micro/core/errors'
import type { SqlPool } from './pool.ts'

export interface SqlTls {
  /** Authorities that the server's certificate must come from, in PEM. @default those of Node */
  readonly ca?: string | Uint8Array
  /** This client's certificate, in PEM, where the server asks for one. */
  readonly cert?: string | Uint8Array
  /** Key of that certificate, in PEM. */
  readonly key?: string | Uint8Array
}

/** How the database is reached: the options that all SQL plugins have. */
export interface SqlOptions {
  /** `postgres://user@host:26257/database`. @default none: `pool` must be given */
  readonly connectionString?: string
  /** Instead of one in the URL; a function is asked for each new connection. @default the URL's */
  readonly password?: string | (() => string | Promise<string>)
  /** TLS with the server's name verified. @default what `sslmode` of the URL says, else none */
  readonly tls?: SqlTls
  /** Connections at most. @default 10 */
  readonly maxConnections?: number
  /** Milliseconds to wait for a connection, a free one or a new one. @default 5000 */
  readonly connectTimeout?: number
  /**
   * Milliseconds that a call may take, with all its attempts; less where the deadline of the current
   * context is nearer. @default 10000
   */
  readonly timeout?: number
  /** Named prepared statements; `false` behind poolers that cannot keep them. @default true */
  readonly prepare?: boolean
  /** A `Pool` of the package `pg` to use instead of an own one; it is not closed. @default its own */
  readonly pool?: SqlPool
}

/** Options after `settleSql`. */
export interface SqlSettings {
  readonly connectionString: string | undefined
  readonly password: SqlOptions['password'] | undefined
  readonly tls: { ca?: string; cert?: string; key?: string } | undefined
  readonly maxConnections: number
  readonly connectTimeout: number
  readonly timeout: number
  readonly prepare: boolean
  readonly pool: SqlPool | undefined
  /** For errors; never a secret: `db:5432`. */
  readonly host: string
}

const ownOnly = ['connectionString', 'password', 'tls', 'maxConnections', 'connectTimeout'] as const
const shared = [...ownOnly, 'timeout', 'prepare', 'pool']

/**
 * Checks the options that all SQL plugins have, and that there are none but those and the plugin's own.
 *
 * @param factory For errors: `cockroachStore`.
 * @throws `invalid_argument`, naming the option, never a secret.
 */
export function settleSql(
  factory: string,
  options: SqlOptions,
  ownNames: readonly string[],
): SqlSettings {
  const refuse = refuser(factory)
  const known = [...shared, ...ownNames]
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) refuse(name, `is unknown; known are ${known.join(', ')}`)
  }
  const { pool, tls, password, prepare = true } = options
  if (pool === undefined && options.connectionString === undefined) {
    refuse('connectionString', 'is missing; give it, or option pool')
  }
  if (pool !== undefined) {
    for (const name of ownOnly) {
      if (options[name] !== undefined) refuse(name, 'is for an own pool; give it to option pool')
    }
    if (typeof pool.connect !== 'function' || typeof pool.on !== 'function') {
      refuse('pool', 'has no connect; give a Pool of pg')
    }
  }
  const url = checkUrl(options.connectionString, refuse)
  if (password !== undefined && typeof password !== 'function' && typeof password !== 'string') {
    refuse('password', 'is neither a text nor a function')
  }
  if (typeof prepare !== 'boolean') refuse('prepare', `is ${show(prepare)}; give true or false`)
  return {
    connectionString: options.connectionString,
    password,
    pool,
    prepare,
    tls: tls === undefined ? undefined : checkTls(tls, url, refuse),
    maxConnections: checkRange(factory, 'maxConnections', options.maxConnections ?? 10, 1, 10_000),
    connectTimeout: checkRange(
      factory,
      'connectTimeout',
      options.connectTimeout ?? 5_000,
      10,
      600_000,
    ),
    timeout: checkRange(factory, 'timeout', options.timeout ?? 10_000, 10, 3_600_000),
    host: url === undefined ? 'the pool given' : url.host,
  }
}

/** @throws `invalid_argument` unless `value` is a whole number from `least` to `most`. */
export function checkRange(
  factory: string,
  name: string,
  value: number,
  least: number,
  most: number,
): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  return refuser(factory)(name, `is ${show(value)}; give a whole number from ${least} to ${most}`)
}

/** A name of a table, or the beginning of names: `micro_store`, `teams.micro_store`. */
export function checkTable(factory: string, name: string, value: string): string {
  if (
    typeof value === 'string' &&
    /^([a-z_][a-z0-9_]{0,30}\.)?[a-z_][a-z0-9_]{0,30}$/.test(value)
  ) {
    return value
  }
  return refuser(factory)(
    name,
    `is ${show(value)}; use a-z, 0-9 and "_", at most 31, with a schema and "." before it if need be`,
  )
}

/** What keeps systems apart in one table. @throws `invalid_argument` */
export function checkNamespace(factory: string, value: string): string {
  if (typeof value === 'string' && /^[A-Za-z0-9_.~/-]{1,128}$/.test(value)) return value
  return refuser(factory)(
    'namespace',
    `is ${show(value)}; use letters, digits, "_", ".", "~", "/" and "-", at most 128`,
  )
}

function checkUrl(text: string | undefined, refuse: Refuse): URL | undefined {
  if (text === undefined) return undefined
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined
  if (url !== undefined && /^(postgres|postgresql|cockroachdb):$/.test(url.protocol)) return url
  // Not shown: it may hold a password.
  return refuse('connectionString', 'is no URL such as postgres://user@host:5432/database')
}

function checkTls(
  tls: SqlTls,
  url: URL | undefined,
  refuse: Refuse,
): { ca?: string; cert?: string; key?: string } {
  const settled: Record<string, string> = {}
  for (const [part, value] of Object.entries(tls)) {
    if (!['ca', 'cert', 'key'].includes(part)) {
      refuse(`tls.${part}`, 'is unknown; known are ca, cert, key')
    }
    if (value === undefined) continue
    const text = typeof value === 'string' ? value : Buffer.from(value).toString()
    if (!text.includes('-----BEGIN ')) {
      refuse(`tls.${part}`, 'is no PEM; give the content, not the path')
    }
    settled[part] = text
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    refuse(tls.cert === undefined ? 'tls.cert' : 'tls.key', 'is missing; give both cert and key')
  }
  for (const name of url?.searchParams.keys() ?? []) {
    if (name.startsWith('ssl'))
      refuse('tls', `is given with ${name} in the URL; remove one of them`)
  }
  return settled
}

export type Refuse = (name: string, why: string) => never

/** For a plugin's own options. */
export function refuser(factory: string): Refuse {
  return (name, why) => {
    throw new MicroError('invalid_argument', `${factory} option ${name} ${why}`)
  }
}

function show(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
