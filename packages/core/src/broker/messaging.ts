import type { Codec } from '../codec/codec.ts'
import type { AbortOptions } from '../component/component.ts'
import type { Awaitable } from '../component/promises.ts'
import type { Context } from '../context/context.ts'
import type { Logger } from '../logger/logger.ts'
import type { Metadata, MetadataInit } from '../metadata/metadata.ts'
import type { Store } from '../store/store.ts'
import type { Broker, Settlement } from './broker.ts'
import type { Topic } from './topic.ts'

/** A message as a handler gets it. */
export interface Message<T> {
  /** Given by the publisher, the same however often it is delivered: for de-duplication. */
  readonly id: string
  readonly topic: string
  readonly key: string | undefined
  readonly headers: Metadata
  readonly value: T
  /** How often it has been delivered, this time included. */
  readonly attempt: number
  /** Milliseconds since 1970 at which the backend took it, where it tells. */
  readonly timestamp: number | undefined
}

/**
 * Returning settles the message as handled, or as the settlement that is returned. Throwing has it
 * delivered again, until the limit.
 */
export type MessageHandler<T> = (
  message: Message<T>,
  context: Context,
) => Awaitable<Settlement> | Awaitable<void>

/** As for one message; what is returned or thrown settles all of the batch. */
export type BatchHandler<T> = (
  messages: readonly Message<T>[],
  context: Context,
) => Awaitable<Settlement> | Awaitable<void>

export interface PublishOptions extends AbortOptions {
  /** Messages of one key keep their order. */
  readonly key?: string
  readonly headers?: MetadataInit
  /** For de-duplication by handlers. @default a random one */
  readonly id?: string
  /** Milliseconds to wait for the backend; a surrounding call's deadline holds too. @default 5000 */
  readonly timeout?: number
}

export interface InboxOptions {
  /** Where the ids of handled messages are kept. */
  readonly store: Store
  /** Milliseconds for which they are. @default 86400000, a day */
  readonly ttl?: number
}

export interface SubscribeOptions extends AbortOptions {
  /**
   * Of all subscriptions of one group each message reaches one; `false` for every message that is
   * published while it is open. @default the service's name
   */
  readonly group?: string | false
  /** Messages, or batches, handled at once over all lanes. @default 16 */
  readonly concurrency?: number
  /** Deliveries of a message that fails, in all. @default 5 */
  readonly maxDeliveries?: number
  /** Milliseconds before the first retry; doubles, with full jitter above half. @default 100 */
  readonly retryDelay?: number
  /** Milliseconds that no retry waits longer. @default 30000 */
  readonly maxRetryDelay?: number
  /** Where messages go that fail for good, with the reason; `false` drops them. @default `<topic>.dead` */
  readonly deadLetters?: string | false
  /** Milliseconds that a handler may take; its signal aborts then, and the delivery fails. @default 30000 */
  readonly timeout?: number
  /** Handles no message twice that it has handled before, as long as the store remembers. */
  readonly inbox?: InboxOptions
}

export interface BatchSubscribeOptions extends SubscribeOptions {
  /** Messages in a batch at most. @default 100 */
  readonly size?: number
}

/** A message on its way through the chain: at its publisher, or at a handler. */
export interface MessageCall {
  readonly side: 'publish' | 'consume'
  readonly topic: string
  readonly key: string | undefined
  /** What is about to be sent; what arrived. */
  readonly headers: Metadata
  readonly context: Context
  readonly value: unknown
}

/**
 * Wraps publishing and handling: look, change `headers`, or throw. Around a batch handler it is called
 * once for each message, one inside the other, before the handler gets them all.
 */
export type MessageMiddleware = (
  call: MessageCall,
  next: () => Awaitable<unknown>,
) => Awaitable<unknown>

/** CloudEvents 1.0 in binary mode: the attributes as headers, the body untouched. */
export interface CloudEventsOptions {
  /** Who publishes: the `source` attribute, a URI reference. */
  readonly source: string
}

export interface MessagingOptions {
  readonly broker: Broker
  readonly logger: Logger
  /** The first that can carry a topic encodes it; any of them decodes by content-type. */
  readonly codecs: readonly Codec[]
  /** @default none: a subscription must name its own */
  readonly defaultGroup?: string
  readonly middleware?: readonly MessageMiddleware[]
  /** @default none */
  readonly cloudEvents?: CloudEventsOptions
}

/** An open subscription, or one that opens when its service starts. */
export interface Subscription extends AsyncDisposable {
  /** No further messages from now on; those being handled are finished. */
  pause(): void
  resume(): void
  /** Ends it, and waits for the handlers that run. Idempotent. */
  close(options?: AbortOptions): Promise<void>
}

/** Typed publish and subscribe over any broker. */
export interface Messaging {
  /** Resolves once the backend has taken responsibility. @throws `invalid_argument` for a bad value. */
  publish<In, Out>(topic: Topic<In, Out>, value: In, options?: PublishOptions): Promise<void>
  /** All in one request to the backend, in order. */
  publishAll<In, Out>(
    topic: Topic<In, Out>,
    values: readonly In[],
    options?: Omit<PublishOptions, 'id'>,
  ): Promise<void>
  subscribe<In, Out>(
    topic: Topic<In, Out>,
    handler: MessageHandler<Out>,
    options?: SubscribeOptions,
  ): Promise<Subscription>
  subscribeBatch<In, Out>(
    topic: Topic<In, Out>,
    handler: BatchHandler<Out>,
    options?: BatchSubscribeOptions,
  ): Promise<Subscription>
}
