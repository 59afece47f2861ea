import type { CallReceiver, Listener, Transport } from '@micro/core/transport'
import type { SuiteOptions } from '../kit/harness.ts'

/** What the transport can do, and how its servers are reached. */
export interface TransportAbilities {
  /**
   * Makes calls to `place.node` reach the receiver, where it takes more than to listen: an entry in
   * a network, say. The listener's `close` takes that back. @default `transport.listen(receiver)`
   */
  readonly listen?: (
    transport: Transport,
    receiver: CallReceiver,
    place: { readonly scope: string; readonly node: string },
  ) => Promise<Listener>
  /**
   * Bytes of the largest message that the transports made by `create` take. Without it they take
   * any, which is shown with 16 MiB.
   */
  readonly maxMessageSize?: number
  /** Whether both sides of a stream can write at once. @default true */
  readonly bidi?: boolean
  /** Whether its connections have `ping`. @default true */
  readonly ping?: boolean
  /**
   * Whether calls stay in the process: listeners and connections hold nothing then, so draining and
   * closing them ends no call, and a receiver is given the caller's own context. @default false
   */
  readonly inProcess?: boolean
}

export interface TransportSuiteOptions extends SuiteOptions<Transport>, TransportAbilities {}
