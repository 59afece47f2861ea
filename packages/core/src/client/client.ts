import type { CodecSet } from '../codec/codec-set.ts'
import type { AbortOptions, Component } from '../component/component.ts'
import type { Method, Methods, ServiceDefinition } from '../definition/definition.ts'
import type { Metadata, MetadataInit } from '../metadata/metadata.ts'
import type { Middleware } from '../middleware/middleware.ts'
import type { Policy } from '../policy/policy.ts'
import type { RouteQuery, Router } from '../router/router.ts'
import type { Selector } from '../selector/selector.ts'
import type { Transport } from '../transport/transport.ts'
import type { EjectionOptions } from './ejection.ts'

/** Options of one call. */
export interface CallOptions extends AbortOptions {
  /**
   * Milliseconds for the whole call, retries included; a surrounding call's deadline holds if it is
   * earlier. @default 5000 for unary and client-streaming calls, none for the other streams
   */
  readonly timeout?: number | undefined
  readonly metadata?: MetadataInit | undefined
  /** Calls with the same key go to the same node while that lives. */
  readonly key?: string | undefined
  /** Limit on retries; 0 forbids every one. */
  readonly retries?: number | undefined
  /** Content-type to use, of those that both sides know. @default the first both know */
  readonly contentType?: string | undefined
  /** Streams: milliseconds until the server must have accepted. @default 5000 */
  readonly openTimeout?: number | undefined
  /** Streams: milliseconds without data or ping after which it ends; 0 for none. @default 60000 */
  readonly idleTimeout?: number | undefined
  readonly onHeaders?: ((headers: Metadata) => void) | undefined
  readonly onTrailers?: ((trailers: Metadata) => void) | undefined
}

/** The function that calls one method. */
export type ClientMethod<M> =
  M extends Method<infer Kind, infer In, infer _Parsed, infer _Returned, infer Out>
    ? Kind extends 'unary'
      ? (input: In, options?: CallOptions) => Promise<Out>
      : Kind extends 'server_stream'
        ? (input: In, options?: CallOptions) => AsyncIterableIterator<Out>
        : Kind extends 'client_stream'
          ? (input: AsyncIterable<In> | Iterable<In>, options?: CallOptions) => Promise<Out>
          : (
              input: AsyncIterable<In> | Iterable<In>,
              options?: CallOptions,
            ) => AsyncIterableIterator<Out>
    : never

/** A typed client: one function per method of the definition. */
export type ServiceClient<M extends Methods> = { readonly [K in keyof M]: ClientMethod<M[K]> }

/** Which nodes a client calls, and defaults for its calls. */
export interface ServiceClientOptions extends Pick<RouteQuery, 'version' | 'labels'> {
  /** Name in discovery. @default the definition's */
  readonly service?: string | undefined
  /** Used where a call does not say otherwise. */
  readonly defaults?: Omit<CallOptions, 'signal' | 'onHeaders' | 'onTrailers'> | undefined
}

export interface ClientOptions {
  readonly router: Router
  readonly selector: Selector
  readonly policy: Policy
  readonly codecs: CodecSet
  /** In order of preference; the first that a node offers is used. */
  readonly transports: readonly Transport[]
  /** Transport to nodes of this process, and whether a node is one. */
  readonly local?: { readonly transport: Transport; has(node: string): boolean } | undefined
  readonly middleware?: readonly Middleware[] | undefined
  readonly ejection?: EjectionOptions | undefined
}

/** What can change while a client is used. */
export interface ClientTuning {
  readonly policy?: Policy | undefined
  /** Milliseconds of unary and client-streaming calls that say no other. */
  readonly timeout?: number | undefined
}

/** The calling side. */
export interface Client extends Component {
  readonly contract: 'client/0'
  /** Changes settings, for calls from now on. @throws `invalid_argument`, and changes nothing then. */
  tune(tuning: ClientTuning): void
  /** A typed client of a service. Does no I/O; nodes are looked up at the first call. */
  client<M extends Methods>(
    definition: ServiceDefinition<M>,
    options?: ServiceClientOptions,
  ): ServiceClient<M>
}
