import type { AbortOptions, Component } from '../component/component.ts'

/** What is handed to a backend: native headers, and a body that is exactly the encoded value. */
export interface BrokerMessage {
  readonly body: Uint8Array
  /** Messages of one key keep their order. Without one they have none. */
  readonly key?: string | undefined
  /** Lower-case names; values of printable ASCII. */
  readonly headers: Readonly<Record<string, string>>
}

/** A message as a backend delivers it. */
export interface Delivery extends BrokerMessage {
  /** Unique in its topic, and the same each time it is delivered. */
  readonly id: string
  /** How often it has been delivered, this time included; absent where the backend does not count. */
  readonly attempt?: number | undefined
  /** Milliseconds since 1970 at which the backend took it. */
  readonly timestamp?: number | undefined
}

/** `dead` is a message that nobody will handle: drop it, or put it where the backend keeps such. */
export type Settlement = 'ack' | 'dead' | { readonly retryAfter: number }

/**
 * Takes the deliveries of one lane: a partition, a queue, whatever keeps order. The next batch of a
 * lane comes only when this one has been settled; lanes are independent of each other.
 *
 * Settlements are in the order of the batch, and may be fewer: what is missing was not handled and is
 * delivered again, in order. So is one that is to be retried, after `retryAfter` milliseconds and
 * ahead of all that follows in its lane.
 */
export type Deliver = (lane: string, batch: readonly Delivery[]) => Promise<readonly Settlement[]>

export interface BrokerSubscribeOptions extends AbortOptions {
  /**
   * Of all subscriptions of one group each message reaches one. Without a group, a subscription gets
   * every message that is published while it is open.
   */
  readonly group?: string | undefined
  /** Deliveries at a time at most. @default 1 */
  readonly batch?: number | undefined
}

export interface BrokerSubscription extends AsyncDisposable {
  /** No further deliveries from now on; what is being handled goes on. */
  pause(): void
  resume(): void
  /** Ends deliveries, and waits until what is being handled has been settled. Idempotent. */
  close(options?: AbortOptions): Promise<void>
}

/** Where backends truly differ. */
export interface BrokerSupports {
  /** Messages outlive the process that published them, and the backend's restart. */
  readonly durable: boolean
  /** A group that exists is kept what is published while none of its subscriptions is open. */
  readonly retained: boolean
  /** What is not settled as `ack` or `dead` comes again, also after a consumer's crash. */
  readonly redelivery: boolean
  /** Deliveries carry `attempt`. Otherwise core counts, and forgets on a crash. */
  readonly deliveryCount: boolean
  /** Messages of one key are handled in the order in which they were published. */
  readonly ordering: boolean
}

/**
 * Publish and subscribe, by topic. It moves bytes: decoding, concurrency, limits of redelivery and
 * dead letters are core's. How memory and real backends implement each member is written in the
 * README beside this file.
 */
export interface Broker extends Component {
  readonly contract: 'broker/0'
  readonly supports: BrokerSupports
  /**
   * Resolves once the backend has taken responsibility for all of the messages. On a failure some of
   * them may have been taken.
   *
   * @throws `invalid_argument`; `resource_exhausted` for a message or queue that is too large;
   * `unavailable`.
   */
  publish(topic: string, messages: readonly BrokerMessage[], options?: AbortOptions): Promise<void>
  /** Resolves once messages published from now on will be delivered. Outages do not end it. */
  subscribe(
    topic: string,
    deliver: Deliver,
    options?: BrokerSubscribeOptions,
  ): Promise<BrokerSubscription>
}
