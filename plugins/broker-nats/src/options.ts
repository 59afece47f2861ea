import { MicroError } from '@micro/core/errors'
import type { Meter } from '@micro/core/meter'
import type { NatsConnection } from '@nats-io/transport-node'

export interface NatsTls {
  /** Authorities that the servers' certificates must come from, in PEM. @default those of Node */
  readonly ca?: string
  /** This client's certificate, in PEM, where servers ask for one. */
  readonly cert?: string
  /** Key of that certificate, in PEM. */
  readonly key?: string
  /** Name that the servers' certificates must have. @default the host of the server's URL */
  readonly serverName?: string
}

/** How the stream of a topic is made by whoever uses it first. One that exists stays as it is. */
export interface StreamDefaults {
  /**
   * `limits` keeps messages for `maxAge`; `interest` until all groups that exist have settled them, and
   * none that nobody waits for. A stream that has been made the other way is refused. @default 'limits'
   */
  readonly retention?: 'limits' | 'interest'
  /** Milliseconds that messages are kept at most; 0 for ever. @default 604800000, a week */
  readonly maxAge?: number
  /**
   * Bytes that a stream has at most; with more, publishing is refused rather than the oldest lost; 0 for
   * what the server has. @default 0
   */
  readonly maxBytes?: number
  /** Servers that keep it. @default 1 */
  readonly replicas?: number
  /** @default 'file' */
  readonly storage?: 'file' | 'memory'
}

export interface NatsBrokerOptions {
  /** Servers of one cluster: `nats://host:port`, or `tls://`. @default 'nats://127.0.0.1:4222' */
  readonly servers?: string | readonly string[]
  /**
   * `jetstream` keeps messages, delivers them again and in order; `core` delivers each at most once, to
   * who is there, with nothing on disk. @default 'jetstream'
   */
  readonly mode?: 'jetstream' | 'core'
  /** @default authorities of Node, no client certificate; spoken if a server asks for it */
  readonly tls?: NatsTls
  /** User name. @default none */
  readonly user?: string
  /** Of `user`. */
  readonly password?: string
  /** A token instead of a user. @default none */
  readonly token?: string
  /** Seed of an nkey instead of a user: `SU…`. @default none */
  readonly nkey?: string
  /** Content of a credentials file, of a JWT and its seed, instead of a user. @default none */
  readonly credentials?: string
  /** A connection of `@nats-io` to use instead of an own one; it is not closed. @default its own */
  readonly connection?: NatsConnection
  /** Separates brokers of one account: subjects begin with `<namespace>.`. @default 'micro' */
  readonly namespace?: string
  /**
   * Lanes of each topic, by the hash of the key: so many keys are handled at once at most. Fixed when
   * the topic is first used, and the same in all of its publishers and subscribers. @default 16
   */
  readonly lanes?: number
  /**
   * Keeps the order of a key, by one message at a time of each lane. Without it messages are read ahead
   * and handled as they come, several times as fast. `jetstream` only. @default true
   */
  readonly ordered?: boolean
  /** Messages that a lane reads ahead, where order is not kept. @default 100 */
  readonly prefetch?: number
  /**
   * Milliseconds after which a message is delivered again whose subscription shows no sign of life.
   * @default 30000
   */
  readonly ackWait?: number
  /** JetStream domain. @default none */
  readonly domain?: string
  /** How streams are made. */
  readonly stream?: StreamDefaults
  /** Bytes of one message's body; the server has a limit too. @default 1048576 */
  readonly maxMessageSize?: number
  /** Messages that a subscription of core NATS holds; what comes then is lost. @default 10000 */
  readonly maxQueued?: number
  /** Milliseconds that NATS may be away until a request fails. @default 5000 */
  readonly timeout?: number
  /** Where lag and lost messages are measured. @default nowhere */
  readonly meter?: Meter
}

type Optional = 'tls' | 'user' | 'password' | 'token' | 'nkey' | 'credentials' | 'connection'

export interface Settings
  extends Required<Omit<NatsBrokerOptions, Optional | 'servers' | 'domain' | 'stream' | 'meter'>>,
    Pick<NatsBrokerOptions, Optional | 'domain' | 'meter'> {
  readonly servers: readonly string[]
  readonly stream: Required<StreamDefaults>
}

const logins = ['user', 'token', 'nkey', 'credentials'] as const
const ownOnly = ['servers', 'tls', 'password', ...logins] as const
const known: ReadonlySet<string> = new Set([
  ...ownOnly,
  ...['mode', 'connection', 'namespace', 'lanes', 'ordered', 'prefetch', 'ackWait', 'domain'],
  ...['stream', 'maxMessageSize', 'maxQueued', 'timeout', 'meter'],
])

/** @throws `invalid_argument`, naming the option, never a secret. */
export function settle(options: NatsBrokerOptions): Settings {
  refuseUnknown('', options, known)
  const { connection, mode = 'jetstream', ordered = true, domain } = options
  if (connection !== undefined) {
    for (const name of ownOnly) {
      if (options[name] !== undefined) refuse(name, 'is for an own connection; make yours with it')
    }
    for (const part of ['publish', 'subscribe', 'request', 'status'] as const) {
      if (typeof connection[part] !== 'function') {
        refuse('connection', `has no ${part}(); give a NatsConnection of @nats-io`)
      }
    }
  }
  checkLogin(options)
  if (options.tls !== undefined) {
    refuseUnknown('tls.', options.tls, new Set(['ca', 'cert', 'key', 'serverName']))
    if ((options.tls.cert === undefined) !== (options.tls.key === undefined)) {
      refuse('tls', 'has a cert without key, or the reverse; give both')
    }
  }
  if (mode !== 'jetstream' && mode !== 'core') refuse('mode', "is neither 'jetstream' nor 'core'")
  if (typeof ordered !== 'boolean') refuse('ordered', 'is no boolean')
  const { namespace = 'micro' } = options
  if (typeof namespace !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(namespace)) {
    refuse('namespace', 'is not 1 to 64 letters, digits, "_" and "-"')
  }
  if (domain !== undefined && !/^[A-Za-z0-9_-]+$/.test(domain)) refuse('domain', 'is no domain')
  return {
    ...options,
    mode,
    ordered,
    namespace,
    servers: checkServers(options.servers),
    stream: checkStream(options.stream ?? {}),
    lanes: range('lanes', options.lanes ?? 16, 1, 256),
    prefetch: range('prefetch', options.prefetch ?? 100, 1, 10_000),
    ackWait: range('ackWait', options.ackWait ?? 30_000, 100, 3_600_000),
    maxMessageSize: range('maxMessageSize', options.maxMessageSize ?? 2 ** 20, 1, 64 * 2 ** 20),
    maxQueued: range('maxQueued', options.maxQueued ?? 10_000, 1, 10_000_000),
    timeout: range('timeout', options.timeout ?? 5_000, 10, 3_600_000),
  }
}

function checkServers(given: NatsBrokerOptions['servers']): readonly string[] {
  const servers = given === undefined ? ['nats://127.0.0.1:4222'] : [given].flat()
  if (servers.length === 0) refuse('servers', 'is empty; give at least one URL')
  for (const server of servers) {
    const url = typeof server === 'string' && URL.canParse(server) ? new URL(server) : undefined
    if (url === undefined || !/^(nats|tls):$/.test(url.protocol) || url.hostname === '') {
      refuse('servers', 'has an entry that is no URL such as nats://nats:4222')
    }
    // A password in a URL would be seen in errors and health, so it is not even shown in this one.
    if (url?.username !== '' || url.password !== '') {
      refuse('servers', 'has an entry with a user or token; give options user, password or token')
    }
  }
  return servers
}

function checkLogin(options: NatsBrokerOptions): void {
  const given = logins.filter((name) => options[name] !== undefined)
  if (given.length > 1) refuse(given[1] ?? '', `is one login too many beside ${given[0]}`)
  for (const name of [...given, ...(options.password === undefined ? [] : ['password' as const])]) {
    const value = options[name]
    if (typeof value !== 'string' || value === '') refuse(name, 'is empty, or no string')
  }
  if ((options.user === undefined) !== (options.password === undefined)) {
    const missing = options.user === undefined ? 'user' : 'password'
    refuse(missing, 'is missing; give both user and password')
  }
}

function checkStream(stream: StreamDefaults): Required<StreamDefaults> {
  const names = ['retention', 'maxAge', 'maxBytes', 'replicas', 'storage']
  refuseUnknown('stream.', stream, new Set(names))
  const { retention = 'limits', storage = 'file' } = stream
  if (!['limits', 'interest'].includes(retention)) {
    refuse('stream.retention', "is neither 'limits' nor 'interest'")
  }
  if (!['file', 'memory'].includes(storage)) {
    refuse('stream.storage', "is neither 'file' nor 'memory'")
  }
  return {
    retention,
    storage,
    maxAge: range('stream.maxAge', stream.maxAge ?? 604_800_000, 0, 2 ** 43),
    maxBytes: range('stream.maxBytes', stream.maxBytes ?? 0, 0, Number.MAX_SAFE_INTEGER),
    replicas: range('stream.replicas', stream.replicas ?? 1, 1, 5),
  }
}

function refuseUnknown(prefix: string, given: object, names: ReadonlySet<string>): void {
  for (const name of Object.keys(given)) {
    if (!names.has(name)) {
      refuse(`${prefix}${name}`, `is unknown; known are ${[...names].join(', ')}`)
    }
  }
}

function range(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  return refuse(name, `is ${String(value)}; give a whole number from ${least} to ${most}`)
}

function refuse(name: string, why: string): never {
  throw new MicroError('invalid_argument', `natsBroker: option ${name} ${why}`)
}
