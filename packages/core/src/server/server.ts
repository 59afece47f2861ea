import type { CodecSet } from '../codec/codec-set.ts'
import type { AbortOptions, Component } from '../component/component.ts'
import type { Awaitable } from '../component/promises.ts'
import type { Context } from '../context/context.ts'
import type { Method, Methods, ServiceDefinition } from '../definition/definition.ts'
import type { Logger } from '../logger/logger.ts'
import type { Metadata } from '../metadata/metadata.ts'
import type { Middleware } from '../middleware/middleware.ts'
import type { CallReceiver, Peer } from '../transport/transport.ts'

/** What a handler is told about its call, and what it can add to the answer. */
export interface HandlerContext extends Context {
  /** Request metadata, a copy of the caller's. */
  readonly metadata: Metadata
  /** Response headers. Set them before the first await or yield of a stream: then they are sent. */
  readonly headers: Metadata
  /** Response trailers, sent at the end. */
  readonly trailers: Metadata
  readonly service: string
  readonly method: string
  readonly peer: Peer
}

/** The function that serves one method. */
export type Handler<M> =
  M extends Method<infer Kind, infer _In, infer Parsed, infer Returned, infer _Out>
    ? Kind extends 'unary'
      ? (input: Parsed, context: HandlerContext) => Awaitable<Returned>
      : Kind extends 'server_stream'
        ? (input: Parsed, context: HandlerContext) => AsyncIterable<Returned>
        : Kind extends 'client_stream'
          ? (input: AsyncIterable<Parsed>, context: HandlerContext) => Awaitable<Returned>
          : (input: AsyncIterable<Parsed>, context: HandlerContext) => AsyncIterable<Returned>
    : never

/** A handler for each method of a definition. */
export type Handlers<M extends Methods> = { readonly [K in keyof M]: Handler<M[K]> }

export interface HandleOptions {
  /** Around the handlers of this definition only, inside the server's own chain. */
  readonly middleware?: readonly Middleware[]
}

export interface ServerLimits {
  /** Calls and streams at once; more are refused with `resource_exhausted`. @default 10000 */
  readonly concurrentCalls?: number
}

export interface ServerOptions {
  readonly codecs: CodecSet
  readonly logger: Logger
  readonly middleware?: readonly Middleware[] | undefined
  readonly limits?: ServerLimits | undefined
}

/** The called side: receives calls from transports and hands them to handlers. */
export interface Server extends Component {
  readonly contract: 'server/0'
  /** Definitions handled, by name. */
  readonly definitions: ReadonlyMap<string, ServiceDefinition>
  readonly receiver: CallReceiver
  /** Calls and streams running. */
  readonly active: number
  /** @throws `already_exists` for a second set of handlers; `invalid_argument` for a missing one. */
  handle<M extends Methods>(
    definition: ServiceDefinition<M>,
    handlers: Handlers<M>,
    options?: HandleOptions,
  ): void
  /** Changes limits, for calls from now on. @throws `invalid_argument`, and changes nothing then. */
  tune(limits: ServerLimits): void
  /** Whether `receiver.ready` says so. */
  setReady(ready: boolean): void
  /** Refuses new calls with `processed: 'no'`; resolves when none is running. */
  drain(options?: AbortOptions): Promise<void>
  /** Cancels every running call. */
  abort(reason: unknown): void
}
