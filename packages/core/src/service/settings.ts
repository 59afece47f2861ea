import { lazyMessaging } from '../broker/lazy-messaging.ts'
import type { Messaging } from '../broker/messaging.ts'
import { bytesCodec } from '../codec/bytes-codec.ts'
import { type CodecSet, createCodecSet } from '../codec/codec-set.ts'
import { jsonCodec } from '../codec/json-codec.ts'
import { textCodec } from '../codec/text-codec.ts'
import type { Component } from '../component/component.ts'
import { requireContract } from '../component/contract.ts'
import type { ServiceDefinition } from '../definition/definition.ts'
import { MicroError } from '../errors/micro-error.ts'
import { consoleLogger } from '../logger/console-logger.ts'
import type { Logger } from '../logger/logger.ts'
import type { Middleware } from '../middleware/middleware.ts'
import { telemetry } from '../middleware/telemetry.ts'
import type { Policy } from '../policy/policy.ts'
import { retryPolicy } from '../policy/retry-policy.ts'
import type { Registry } from '../registry/registry.ts'
import { registryRouter } from '../router/registry-router.ts'
import type { Router } from '../router/router.ts'
import { randomSelector } from '../selector/random-selector.ts'
import type { Selector } from '../selector/selector.ts'
import { type MemoryNetwork, memoryNetwork } from '../transport/memory-network.ts'
import { memoryTransport } from '../transport/memory-transport.ts'
import type { Transport } from '../transport/transport.ts'
import { secure } from './security.ts'
import type { Components, ServiceOptions } from './service.ts'

/** A service's options with every default in place. */
export interface Settings {
  readonly network: MemoryNetwork
  readonly logger: Logger
  readonly registry: Registry
  readonly router: Router
  readonly selector: Selector
  readonly policy: Policy
  readonly codecs: CodecSet
  readonly messaging: Messaging
  /** For nodes of this process. */
  readonly local: Transport
  /** For all others, in order of preference. */
  readonly remote: readonly Transport[]
  readonly serverMiddleware: readonly Middleware[]
  readonly clientMiddleware: readonly Middleware[]
  /** What the service connects, watches and closes, by label. The network is closed by no one. */
  readonly owned: ReadonlyMap<string, Component>
  readonly spread: number
  readonly drain: number
}

/** @throws `invalid_argument` naming the field; `failed_precondition` for a foreign generation. */
export function settle<C extends Components>(options: ServiceOptions<C>): Settings {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(options.name)) {
    throw new MicroError(
      'invalid_argument',
      `name: ${JSON.stringify(options.name)}; use up to 128 letters, digits, "_", "." and "-", beginning with a letter or digit`,
    )
  }
  const network = options.network ?? memoryNetwork()
  const logger = (options.logger ?? consoleLogger()).child({ service: options.name })
  const registry = options.registry ?? network.registry
  const router = options.router ?? registryRouter({ registry })
  const transports = options.transports ?? []
  const remote = transports.filter((transport) => transport.name !== 'memory')
  const observed = options.meter === undefined && options.tracer === undefined
  const seen = observed ? [] : [telemetry({ meter: options.meter, tracer: options.tracer })]

  const owned = new Map<string, Component>()
  const own = (label: string, component: Component | undefined, contract?: string): void => {
    if (component === undefined) return
    if (contract !== undefined) requireContract(component, contract)
    owned.set(label, component)
  }
  own('logger', options.logger, 'logger/0')
  own('meter', options.meter, 'meter/0')
  own('tracer', options.tracer, 'tracer/0')
  own('registry', options.registry, 'registry/0')
  own('broker', options.broker, 'broker/0')
  own('auth', options.auth, 'auth/0')
  own('access', options.access, 'access/0')
  own('identity', options.identity, 'identity/0')
  own('router', router, 'router/0')
  own('selector', options.selector, 'selector/0')
  own('policy', options.policy, 'policy/0')
  for (const transport of transports) own(`transport ${transport.name}`, transport, 'transport/0')
  for (const codec of options.codecs ?? []) own(`codec ${codec.name}`, codec, 'codec/0')
  for (const [name, component] of Object.entries(options.components ?? {})) own(name, component)

  if (options.zeroTrust === true) requireZeroTrust(options, remote)
  const codecs = [...(options.codecs ?? []), jsonCodec(), textCodec(), bytesCodec()]

  const security = secure(options, logger)

  return {
    network,
    logger,
    messaging: lazyMessaging(async () => {
      const { createMessaging } = await import('../broker/create-messaging.ts')
      return createMessaging({
        broker: options.broker ?? (await network.broker()),
        logger,
        codecs,
        defaultGroup: options.name,
        middleware: await security.messages(options.middleware?.messages ?? []),
        ...(options.cloudEvents === undefined ? {} : { cloudEvents: options.cloudEvents }),
      })
    }),
    registry,
    router,
    selector: options.selector ?? randomSelector(),
    policy: options.policy ?? retryPolicy(),
    codecs: createCodecSet(codecs),
    local:
      transports.find((transport) => transport.name === 'memory') ?? memoryTransport({ network }),
    remote,
    serverMiddleware: [...seen, ...security.server, ...(options.middleware?.server ?? [])],
    clientMiddleware: [...seen, ...(options.middleware?.client ?? []), ...security.client],
    owned,
    spread: milliseconds(
      'shutdown.spread',
      options.shutdown?.spread ?? (remote.length === 0 ? 0 : 500),
    ),
    drain: milliseconds('shutdown.drain', options.shutdown?.drain ?? 10_000),
  }
}

/** @throws `failed_precondition` for declared access where nobody can be known. */
export function requireCallers<C extends Components>(
  { name, auth, identity }: ServiceOptions<C>,
  definition: ServiceDefinition,
): void {
  if (auth !== undefined || identity?.accountOf !== undefined) return
  const declared = Object.entries(definition.methods).find(
    ([, { access }]) => access !== undefined && !access.scopes.includes(''),
  )
  if (declared === undefined) return
  throw new MicroError(
    'failed_precondition',
    `${definition.name}/${declared[0]} declares access, and service "${name}" knows no accounts: give it auth, or an identity that knows its peers`,
  )
}

function requireZeroTrust<C extends Components>(
  { identity }: ServiceOptions<C>,
  remote: readonly Transport[],
): void {
  if (identity?.accountOf === undefined || identity.tls === undefined) {
    throw new MicroError(
      'failed_precondition',
      'zeroTrust needs an identity with certificates that knows its peers: identity: x509Identity({ … })',
    )
  }
  const open = remote.find((transport) => transport.secured !== true)
  if (open === undefined) return
  throw new MicroError(
    'failed_precondition',
    `zeroTrust: transport "${open.name}" has no TLS; give it the identity's: tls: identity.tls`,
  )
}

function milliseconds(field: string, value: number): number {
  if (value >= 0 && value <= 2 ** 31 - 1) return value
  throw new MicroError(
    'invalid_argument',
    `${field}: ${value}; give milliseconds from 0 to 2^31 - 1`,
  )
}
