import { MicroError } from '@micro/core/errors'
import type { Meter } from '@micro/core/meter'
import type { RedisClient } from './client.ts'

export interface RedisTls {
  /** Authorities that the server's certificate must come from, in PEM. @default those of Node */
  readonly ca?: string | Uint8Array
  /** This client's certificate, in PEM, where the server asks for one. */
  readonly cert?: string | Uint8Array
  /** Key of that certificate, in PEM. */
  readonly key?: string | Uint8Array
  /** Name that the server's certificate must have. @default the host of `url` */
  readonly serverName?: string
}

export interface RedisBrokerOptions {
  /** Where Redis is: `redis://host:port`, or `rediss://` over TLS. @default 'redis://127.0.0.1:6379' */
  readonly url?: string
  /** For `rediss://`. @default no client certificate, authorities of Node */
  readonly tls?: RedisTls
  /** User of Redis's access control lists. @default Redis's default user */
  readonly user?: string
  /** Of that user. @default none */
  readonly password?: string
  /** Number of the database. @default 0 */
  readonly database?: number
  /**
   * A `Redis` of `ioredis` to use instead of an own one, such as one made for Sentinel; it is not
   * closed. @default its own
   */
  readonly client?: RedisClient
  /** Separates brokers in one Redis: keys begin with `<namespace>:`. @default 'micro' */
  readonly namespace?: string
  /**
   * Streams that each topic is split over, by the hash of the key: so many keys are handled at once at
   * most. Fixed when the topic is first used, and the same in all of its publishers and subscribers.
   * @default 16
   */
  readonly partitions?: number
  /** Messages that a subscription holds of each partition beyond those in hand. @default 100 */
  readonly prefetch?: number
  /**
   * Milliseconds after which the partitions of a subscription that shows no sign of life go to others.
   * @default 10000
   */
  readonly leaseTtl?: number
  /**
   * Messages that one partition keeps at most. What a group has not settled is never removed: where
   * nothing else is left to remove, publishing is refused as `resource_exhausted`. @default 100000
   */
  readonly maxLength?: number
  /** Bytes of one message's body. @default 1048576 */
  readonly maxMessageSize?: number
  /** Milliseconds that Redis may be away until a request fails. @default 5000 */
  readonly timeout?: number
  /** Where lag and lost partitions are measured. @default nowhere */
  readonly meter?: Meter
}

export interface Settings
  extends Required<
    Omit<RedisBrokerOptions, 'tls' | 'user' | 'password' | 'client' | 'meter' | 'database'>
  > {
  readonly tls: RedisTls | undefined
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: number | undefined
  readonly client: RedisClient | undefined
  readonly meter: Meter | undefined
}

const ownOnly = ['url', 'tls', 'user', 'password', 'database'] as const
const known: ReadonlySet<string> = new Set([
  ...ownOnly,
  ...['client', 'namespace', 'partitions', 'prefetch', 'leaseTtl', 'maxLength', 'maxMessageSize'],
  ...['timeout', 'meter'],
])

/** @throws `invalid_argument`, naming the option, never a secret. */
export function settle(options: RedisBrokerOptions): Settings {
  for (const name of Object.keys(options)) {
    if (!known.has(name)) refuse(name, `is unknown; known are ${[...known].join(', ')}`)
  }
  const { url = 'redis://127.0.0.1:6379', client, tls, user, password, database } = options
  if (client !== undefined) checkClient(client, options)
  const scheme = checkUrl(url)
  if (tls !== undefined) checkTls(tls, scheme)
  if (user !== undefined && (typeof user !== 'string' || user === '')) refuse('user', 'is no name')
  if (password !== undefined && (typeof password !== 'string' || password === '')) {
    refuse('password', 'is empty, or no string')
  }
  if (user !== undefined && password === undefined) refuse('password', 'is missing beside user')
  const { namespace = 'micro', meter } = options
  if (typeof namespace !== 'string' || !/^[A-Za-z0-9_.:-]{1,128}$/.test(namespace)) {
    refuse('namespace', 'is not 1 to 128 letters, digits, "_", ".", ":" and "-"')
  }
  return {
    url,
    tls,
    user,
    password,
    database: database === undefined ? undefined : range('database', database, 0, 100_000),
    client,
    namespace,
    meter,
    partitions: range('partitions', options.partitions ?? 16, 1, 1_024),
    prefetch: range('prefetch', options.prefetch ?? 100, 1, 10_000),
    leaseTtl: range('leaseTtl', options.leaseTtl ?? 10_000, 100, 3_600_000),
    maxLength: range('maxLength', options.maxLength ?? 100_000, 1, 1_000_000_000),
    maxMessageSize: range('maxMessageSize', options.maxMessageSize ?? 2 ** 20, 1, 512 * 2 ** 20),
    timeout: range('timeout', options.timeout ?? 5_000, 10, 3_600_000),
  }
}

function checkClient(client: RedisClient, options: RedisBrokerOptions): void {
  for (const name of ownOnly) {
    if (options[name] !== undefined) refuse(name, 'is for an own client; give it to option client')
  }
  for (const part of ['callBuffer', 'duplicate', 'disconnect', 'on', 'off'] as const) {
    if (typeof client[part] !== 'function') {
      refuse('client', `has no ${part}(); give a Redis of ioredis`)
    }
  }
}

function checkUrl(url: string): string {
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined
  const isRedis = parsed !== undefined && /^rediss?:$/.test(parsed.protocol)
  // A password in a URL would be seen in errors and health, so it is not even shown in this one.
  if (!isRedis || parsed.hostname === '' || !/^\/?$/.test(parsed.pathname)) {
    refuse('url', 'is no URL such as redis://redis:6379; the database has an option of its own')
  } else if (parsed.username !== '' || parsed.password !== '') {
    refuse('url', 'has a user or password in it; give options user and password')
  }
  return parsed?.protocol ?? ''
}

function checkTls(tls: RedisTls, scheme: string): void {
  for (const part of Object.keys(tls)) {
    if (!['ca', 'cert', 'key', 'serverName'].includes(part)) {
      refuse(`tls.${part}`, 'is unknown; known are ca, cert, key, serverName')
    }
  }
  if (scheme !== 'rediss:') refuse('tls', 'is for rediss://; change url')
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    refuse('tls', 'has a cert without key, or the reverse; give both')
  }
}

function range(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  return refuse(name, `is ${String(value)}; give a whole number from ${least} to ${most}`)
}

function refuse(name: string, why: string): never {
  throw new MicroError('invalid_argument', `redisBroker: option ${name} ${why}`)
}
