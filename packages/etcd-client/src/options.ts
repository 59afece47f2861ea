import { MicroError } from '@micro/core/errors'
import type { EtcdClient } from './client.ts'

export interface EtcdTls {
  /** Authorities that the servers' certificates must come from, in PEM. @default those of Node */
  readonly ca?: string | Uint8Array
  /** This client's certificate, in PEM, where servers ask for one. */
  readonly cert?: string | Uint8Array
  /** Key of that certificate, in PEM. */
  readonly key?: string | Uint8Array
}

/** How etcd is reached: the options that all etcd plugins have. */
export interface EtcdOptions {
  /**
   * Members of the cluster, all `http://` or all `https://`. One is used at a time, and the next when
   * it does not answer. @default 'http://127.0.0.1:2379'
   */
  readonly hosts?: string | readonly string[]
  /** For `https://`. @default no client certificate, authorities of Node */
  readonly tls?: EtcdTls
  /** Where etcd has authentication enabled. @default none */
  readonly user?: string
  /** Of `user`. */
  readonly password?: string
  /** Milliseconds that one host is given to answer a request. @default 5000 */
  readonly timeout?: number
  /** Bytes of an answer; readers of many records ask for fewer at a time. @default 16777216 */
  readonly maxMessageSize?: number
  /**
   * An `Etcd3` of the package `etcd3` to use instead of an own one; it is not closed. Make it without
   * retries (`faultHandling`): it cannot know which requests may be sent twice. @default its own
   */
  readonly client?: EtcdClient
}

/** Options after `settleEtcd`. */
export interface EtcdSettings {
  readonly hosts: readonly string[]
  readonly tls: EtcdTls | undefined
  readonly user: string | undefined
  readonly password: string | undefined
  readonly timeout: number
  readonly maxMessageSize: number
  readonly client: EtcdClient | undefined
}

const shared = ['hosts', 'tls', 'user', 'password', 'timeout', 'maxMessageSize', 'client']
const ownOnly = ['hosts', 'tls', 'user', 'password', 'maxMessageSize'] as const

/**
 * Checks the options that all etcd plugins have, and that there are none but those and the plugin's
 * own.
 *
 * @param factory For errors: `etcdRegistry`.
 * @throws `invalid_argument`, naming the option, never a secret.
 */
export function settleEtcd(
  factory: string,
  options: EtcdOptions,
  ownNames: readonly string[],
): EtcdSettings {
  const refuse = refuser(factory)
  const known = [...shared, ...ownNames]
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) refuse(name, `is unknown; known are ${known.join(', ')}`)
  }
  const { client, tls, user, password } = options
  if (client !== undefined) {
    for (const name of ownOnly) {
      if (options[name] !== undefined)
        refuse(name, 'is for an own client; give it to option client')
    }
    for (const part of ['kv', 'leaseClient', 'watchClient'] as const) {
      if (typeof client[part] !== 'object')
        refuse('client', `has no ${part}; give an Etcd3 of etcd3`)
    }
  }
  const hosts = checkHosts(options.hosts, refuse)
  if (tls !== undefined) checkTls(tls, hosts, refuse)
  if ((user === undefined) !== (password === undefined)) {
    refuse(user === undefined ? 'user' : 'password', 'is missing; give both user and password')
  }
  if (user !== undefined && (typeof user !== 'string' || user === '')) refuse('user', 'is no name')
  if (password !== undefined && (typeof password !== 'string' || password === '')) {
    refuse('password', 'is empty, or no string')
  }
  return {
    hosts,
    tls,
    user,
    password,
    client,
    timeout: checkRange(factory, 'timeout', options.timeout ?? 5_000, 10, 600_000),
    maxMessageSize: checkRange(
      factory,
      'maxMessageSize',
      options.maxMessageSize ?? 2 ** 24,
      2 ** 16,
      2 ** 30,
    ),
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

/**
 * Checks a prefix of keys: `micro`, `teams/blue`. What it begins and ends with is the plugin's.
 *
 * @throws `invalid_argument`
 */
export function checkPath(factory: string, name: string, value: string): string {
  const parts = typeof value === 'string' && value.length <= 255 ? value.split('/') : []
  if (parts.length > 0 && parts.every((part) => /^[A-Za-z0-9_.~-]+$/.test(part))) return value
  return refuser(factory)(
    name,
    `is ${show(value)}; use letters, digits, "_", ".", "~", "-", and "/" between them, at most 255`,
  )
}

function checkHosts(given: EtcdOptions['hosts'], refuse: Refuse): readonly string[] {
  const hosts = given === undefined ? ['http://127.0.0.1:2379'] : [given].flat()
  if (hosts.length === 0) refuse('hosts', 'is empty; give at least one URL')
  for (const host of hosts) {
    const url = typeof host === 'string' && URL.canParse(host) ? new URL(host) : undefined
    const isUrl = url !== undefined && /^https?:$/.test(url.protocol) && url.pathname === '/'
    // A password in a URL would be seen in errors, so it is not even shown in this one.
    if (!isUrl || url.username !== '' || url.password !== '' || url.search !== '') {
      refuse('hosts', 'has an entry that is no URL such as http://etcd:2379, without user and path')
    }
  }
  if (new Set(hosts.map((host) => host.startsWith('https:'))).size > 1) {
    refuse('hosts', 'mixes http:// and https://; use one of them')
  }
  return hosts.map((host) => host.replace(/\/$/, ''))
}

function checkTls(tls: EtcdTls, hosts: readonly string[], refuse: Refuse): void {
  for (const [part, value] of Object.entries(tls)) {
    if (!['ca', 'cert', 'key'].includes(part)) {
      refuse(`tls.${part}`, 'is unknown; known are ca, cert, key')
    }
    const isPem = typeof value === 'string' || value instanceof Uint8Array
    if (value !== undefined && !(isPem && Buffer.from(value).includes('-----BEGIN '))) {
      refuse(`tls.${part}`, 'is no PEM; give the content, not the path')
    }
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    refuse(tls.cert === undefined ? 'tls.cert' : 'tls.key', 'is missing; give both cert and key')
  }
  if (!hosts.every((host) => host.startsWith('https:'))) {
    refuse('tls', 'is given with http:// hosts; write https://')
  }
}

type Refuse = (name: string, why: string) => never

function refuser(factory: string): Refuse {
  return (name, why) => {
    throw new MicroError('invalid_argument', `${factory} option ${name} ${why}`)
  }
}

function show(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
