import type { Access } from '../access/access.ts'
import type { Auth } from '../auth/auth.ts'
import type { Broker } from '../broker/broker.ts'
import type { CloudEventsOptions, MessageMiddleware, Messaging } from '../broker/messaging.ts'
import type { ServiceClient, ServiceClientOptions } from '../client/client.ts'
import type { EjectionOptions } from '../client/ejection.ts'
import type { Codec } from '../codec/codec.ts'
import type { AbortOptions, Component, Health } from '../component/component.ts'
import type { Methods, ServiceDefinition } from '../definition/definition.ts'
import type { Identity } from '../identity/identity.ts'
import type { Logger, LogLevel } from '../logger/logger.ts'
import type { Meter } from '../meter/meter.ts'
import type { Middleware } from '../middleware/middleware.ts'
import type { Policy } from '../policy/policy.ts'
import type { Node, Registry } from '../registry/registry.ts'
import type { Router } from '../router/router.ts'
import type { Selector } from '../selector/selector.ts'
import type { HandleOptions, Handlers, ServerLimits } from '../server/server.ts'
import type { Tracer } from '../tracer/tracer.ts'
import type { MemoryNetwork } from '../transport/memory-network.ts'
import type { Transport } from '../transport/transport.ts'

/** Components by name, for use in handlers: `service.components.sessions`. */
export type Components = Readonly<Record<string, Component>>

export interface ServiceHooks {
  /** Before anything is connected. A failure ends the start. */
  readonly beforeStart?: () => Promise<void> | void
  /** Once the service is registered. A failure ends the start, and all of it is undone. */
  readonly afterStart?: () => Promise<void> | void
  /** Before the service says that it is not ready. */
  readonly beforeStop?: () => Promise<void> | void
  /** When everything has been closed. */
  readonly afterStop?: () => Promise<void> | void
}

export interface ShutdownOptions {
  /**
   * Milliseconds between deregistering and refusing calls, for the news to reach every client.
   * @default 500, or 0 without a network transport
   */
  readonly spread?: number
  /** Milliseconds that running calls are given to end before they are cancelled. @default 10000 */
  readonly drain?: number
  /** Stop on SIGTERM and SIGINT, then exit; a second signal exits at once. @default true */
  readonly signals?: boolean
}

export interface RegistrationOptions {
  /** Milliseconds until the record of a crashed instance lapses. @default 15000 */
  readonly ttl?: number
  /** Milliseconds that a start waits for the registry before it fails. @default 10000 */
  readonly timeout?: number
}

export interface ServiceOptions<C extends Components = Components> {
  /** For logs, ids and identity. Clients find the definitions that it handles by their own names. */
  readonly name: string
  /** @default '0.0.0' */
  readonly version?: string
  /** Share of calls relative to other instances; 0 takes none. @default 1 */
  readonly weight?: number
  /** Where it runs, for clients that prefer near nodes (`zoneSelector`). @default none */
  readonly zone?: string
  /** What clients can filter by. */
  readonly labels?: Readonly<Record<string, string>>
  /** Share one between services to let them find each other in process. @default its own */
  readonly network?: MemoryNetwork
  /** @default the network's memory registry */
  readonly registry?: Registry
  /** @default one over the registry */
  readonly router?: Router
  /** @default random hashed selection */
  readonly selector?: Selector
  /** @default retries on another node, within a budget */
  readonly policy?: Policy
  /** What to listen on and call with, in order of preference. @default memory only */
  readonly transports?: readonly Transport[]
  /** In front of json, text and bytes, in order of preference. */
  readonly codecs?: readonly Codec[]
  /** @default JSON lines on standard error, from level info */
  readonly logger?: Logger
  /** For `publish` and `subscribe`. @default the network's memory broker */
  readonly broker?: Broker
  /** Adds the attributes of CloudEvents 1.0 to what is published, as headers. @default none */
  readonly cloudEvents?: CloudEventsOptions
  /** Makes the tokens of calls and messages accounts, and refuses invalid ones. @default none */
  readonly auth?: Auth
  /** Decides who may call, publish and consume; every decision is logged. @default all is allowed */
  readonly access?: Access
  /**
   * Shows its token with every call made and message published, and knows who a peer is by its
   * certificate. @default none
   */
  readonly identity?: Identity
  /**
   * Calls come and go by TLS only, of nobody but known accounts, and what neither a rule nor a definition
   * allows is denied. Needs an `identity` that knows peers, and its `tls` in every transport.
   * @default false
   */
  readonly zeroTrust?: boolean
  readonly meter?: Meter
  readonly tracer?: Tracer
  /** Around every handled call and every call made; the first is the outermost. */
  readonly middleware?: {
    readonly server?: readonly Middleware[]
    readonly client?: readonly Middleware[]
    /** Around every message, published and handled. */
    readonly messages?: readonly MessageMiddleware[]
  }
  readonly limits?: ServerLimits
  readonly ejection?: EjectionOptions
  readonly registration?: RegistrationOptions
  readonly shutdown?: ShutdownOptions
  readonly hooks?: ServiceHooks
  /**
   * Further components, of any kind and number: stores, locks, config. Connected, watched and closed
   * with the service.
   */
  readonly components?: C
}

/** What can change while a service runs; what is left away stays as it is. */
export interface ServiceTuning {
  /** Of the service's logger, and of all that share its output. */
  readonly logLevel?: LogLevel | undefined
  readonly limits?: ServerLimits | undefined
  /** Milliseconds of unary and client-streaming calls that say no other. */
  readonly timeout?: number | undefined
  /** It is used as it is: neither connected nor closed. */
  readonly policy?: Policy | undefined
}

export type ServiceState = 'new' | 'starting' | 'started' | 'stopping' | 'stopped'

export interface ServiceHealth extends Health {
  readonly components: Readonly<Record<string, Health>>
}

/** A composition of components that serves and calls. Components are closed by their last service. */
export interface Service<C extends Components = Components> extends AsyncDisposable, Messaging {
  readonly name: string
  readonly version: string
  /** Of this instance, in every registry record and error. */
  readonly id: string
  readonly state: ServiceState
  readonly components: C
  readonly logger: Logger
  /** What is announced: one node per definition. Empty until started. */
  readonly nodes: readonly Node[]
  /** Serves a definition. @throws `failed_precondition` once started. */
  handle<M extends Methods>(
    definition: ServiceDefinition<M>,
    handlers: Handlers<M>,
    options?: HandleOptions,
  ): this
  /** A typed client; usable before `start`. */
  client<M extends Methods>(
    definition: ServiceDefinition<M>,
    options?: ServiceClientOptions,
  ): ServiceClient<M>
  /**
   * Changes settings, for calls from now on: `config.bind('server', (server) => service.tune(server))`.
   *
   * @throws `invalid_argument` naming the field, and changes nothing then.
   */
  tune(tuning: ServiceTuning): void
  /** Resolves when calls reach it. A failed start undoes what it did. */
  start(options?: AbortOptions): Promise<void>
  /** In the documented order, to its end. @throws what failed on the way: one error, or all. */
  stop(): Promise<void>
  /** Starts, then resolves when stopped, by a signal or by `stop`. */
  run(options?: AbortOptions): Promise<void>
  /** Whether the process is worth keeping. */
  live(): boolean
  /** Whether it wants calls now. */
  ready(): boolean
  health(): ServiceHealth
}
