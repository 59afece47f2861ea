import { MicroError } from '@micro/core/errors'

export interface DnsRouterOptions {
  /** The name to look up for a service: `(service) => `${service}.internal``. @default the service's own */
  readonly name?: (service: string) => string
  /**
   * `address`: a node for each A and AAAA record, at `port`. `srv`: one for each SRV record of the
   * lowest priority there is, with its weight, by the name of its target. @default 'address'
   */
  readonly records?: 'address' | 'srv'
  /** Port of the nodes; SRV records bring their own. */
  readonly port?: number
  /** Transport that they are called with. @default 'http' */
  readonly transport?: string
  /** Beginning of their URLs. @default the transport's name; 'tcp' for tcp */
  readonly scheme?: string
  /** What they can decode, the preferred one first. @default ['application/json'] */
  readonly contentTypes?: readonly string[]
  /** Servers to ask: `127.0.0.1:53`. @default the system's */
  readonly servers?: readonly string[]
  /** Milliseconds for one question. @default 2000 */
  readonly timeout?: number
  /** Milliseconds that an answer is good for, at least, whatever its TTL. @default 1000 */
  readonly minTtl?: number
  /** Milliseconds that an answer is good for, at most; SRV answers, whose TTL Node does not tell, always. @default 30000 */
  readonly maxTtl?: number
}

export interface StaticRouterOptions {
  /** URLs of the nodes, by service: `{ orders: ['http://10.0.0.7:8080'] }`. */
  readonly services: Readonly<Record<string, readonly string[]>>
  /** Transport that they are called with. @default the scheme of the URL; http for https */
  readonly transport?: string
  /** What they can decode, the preferred one first. @default ['application/json'] */
  readonly contentTypes?: readonly string[]
}

type Optional = 'port' | 'servers'

export type DnsSettings = Required<Omit<DnsRouterOptions, Optional>> &
  Pick<DnsRouterOptions, Optional>

/** @throws `invalid_argument` naming the option. */
export function settleDns(options: DnsRouterOptions): DnsSettings {
  const factory = 'dnsRouter'
  const transport = options.transport ?? 'http'
  const defaults = {
    name: (service: string) => service,
    records: 'address',
    transport,
    scheme: transport,
    contentTypes: ['application/json'],
    timeout: 2_000,
    minTtl: 1_000,
    maxTtl: 30_000,
  } satisfies DnsSettings
  known(factory, options, [...Object.keys(defaults), 'port', 'servers'])
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  )
  const settings: DnsSettings = { ...defaults, ...given }
  if (typeof settings.name !== 'function') throw invalid(factory, 'name', 'give a function')
  const { records, port } = settings
  if (records !== 'address' && records !== 'srv') {
    throw invalid(factory, 'records', `${String(records)}; give 'address' or 'srv'`)
  }
  if (records === 'srv' && port !== undefined) {
    throw invalid(factory, 'port', 'SRV records bring their own; leave it out')
  }
  if (records === 'address') whole(factory, 'port', port, 1, 65_535)
  whole(factory, 'timeout', settings.timeout, 1, 600_000)
  whole(factory, 'minTtl', settings.minTtl, 1, 86_400_000)
  whole(factory, 'maxTtl', settings.maxTtl, settings.minTtl, 86_400_000)
  return settings
}

export type StaticSettings = StaticRouterOptions &
  Required<Pick<StaticRouterOptions, 'contentTypes'>>

/** @throws `invalid_argument` naming the option. */
export function settleStatic(options: StaticRouterOptions): StaticSettings {
  const factory = 'staticRouter'
  known(factory, options, ['services', 'transport', 'contentTypes'])
  for (const [service, urls] of Object.entries(options.services)) {
    for (const url of urls) {
      if (URL.canParse(url)) continue
      throw invalid(
        factory,
        `services.${service}`,
        `"${url}"; give URLs such as http://10.0.0.7:8080`,
      )
    }
  }
  return { ...options, contentTypes: options.contentTypes ?? ['application/json'] }
}

function whole(
  factory: string,
  name: string,
  value: number | undefined,
  least: number,
  most: number,
): void {
  if (value !== undefined && Number.isInteger(value) && value >= least && value <= most) return
  throw invalid(factory, name, `${value}; give a whole number from ${least} to ${most}`)
}

function known(factory: string, options: object, names: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) {
      throw invalid(factory, name, `unknown option; known are ${names.join(', ')}`)
    }
  }
}

function invalid(factory: string, name: string, why: string): MicroError {
  return new MicroError('invalid_argument', `${factory} option ${name}: ${why}`)
}
