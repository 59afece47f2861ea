import type { AbortOptions, Component } from '../component/component.ts'
import type { Awaitable } from '../component/promises.ts'
import type { Context } from '../context/context.ts'
import type { Idempotency, MethodKind } from '../definition/definition.ts'
import type { Metadata } from '../metadata/metadata.ts'
import type { Endpoint } from '../registry/registry.ts'

/** What is known of a call before its first message. */
export interface CallHead {
  /** Service and method by their wire names. */
  readonly service: string
  readonly method: string
  readonly kind: MethodKind
  readonly idempotency: Idempotency
  /** Of the messages in both directions, without parameters: `application/json`. */
  readonly contentType: string
  /** Sent as headers. Neither side changes it once handed over. */
  readonly metadata: Metadata
  /** Set in process only: the bodies are the messages themselves. Never read from a wire. */
  readonly byReference?: boolean
}

/** The answer to a unary call. `Body` is bytes, or the message itself in process. */
export interface Reply<Body = Uint8Array> {
  readonly body: Body
  readonly headers?: Metadata | undefined
  readonly trailers?: Metadata | undefined
}

/**
 * A stream of whole messages in both directions, as the client sees it.
 *
 * Reading: iterate once, one `next` at a time; ends when the server has ended well, throws a
 * `MicroError` otherwise. `return` cancels the stream. Writing: await each `write`, which resolves
 * when there is room for another message.
 */
export interface ClientStream<Body = Uint8Array> extends AsyncIterableIterator<Body> {
  write(message: Body): Awaitable<void>
  /** No more messages from this side. */
  end(): Awaitable<void>
  /** Resolves when the server has accepted the stream; rejects as the stream does. */
  readonly headers: Promise<Metadata>
  /** Complete once iteration has ended. */
  readonly trailers: Metadata
  /** `performance.now()` of the last sign of life from the peer: data or ping. */
  readonly lastActivity: number
}

/** The same stream, as the server sees it. Iterating gives the client's messages until it ends. */
export interface ServerStream<Body = Uint8Array> extends AsyncIterableIterator<Body> {
  /** Accepts the stream and sends the headers. Once, before the first write, which implies it. */
  open(headers?: Metadata): void
  /** Resolves when there is room for another message; rejects once the client is gone. */
  write(message: Body): Awaitable<void>
  readonly lastActivity: number
}

/**
 * Calls to one endpoint. Dialled on first use; a connection that broke dials again for the next
 * call. Every failure is a `MicroError` whose `processed` is honest. When `context` is cancelled the
 * call ends at once with the context's reason, and the server is told where the wire allows.
 */
export interface Connection {
  /** In process: bodies are the messages themselves, by reference, and no codec is used. */
  readonly byReference?: boolean
  unary(head: CallHead, body: Uint8Array, context: Context): Awaitable<Reply>
  /** Returns at once; what fails, fails on the stream. */
  stream(head: CallHead, context: Context): ClientStream
  /** One cheap round trip to the peer's application, so that a frozen process does not answer. */
  ping?(context: Context): Promise<void>
  /**
   * Lets running calls end, then closes. New ones fail with `unavailable` and `processed: 'no'`, as
   * they do after `close`.
   */
  drain(): Promise<void>
  /** Ends running calls with `unavailable`. */
  close(): Promise<void>
}

/** A certificate that a peer has proved to hold, and that an authority the transport trusts vouches for. */
export interface PeerCertificate {
  /** The URIs among its names: `spiffe://example.org/service/orders`. */
  readonly uris: readonly string[]
  /** The DNS names among its names. */
  readonly dnsNames: readonly string[]
  /** SHA-256 of the certificate, as 64 lower-case hex digits. */
  readonly fingerprint: string
  /** Milliseconds since 1970 at which it lapses. */
  readonly expiresAt: number
}

/** Who is calling, as far as the transport knows. */
export interface Peer {
  /** Name of the transport. */
  readonly transport: string
  /** `127.0.0.1:50412`, or the id of the calling node in process. */
  readonly address: string
  /** There where the transport asks for one. */
  readonly certificate?: PeerCertificate | undefined
}

/** What a server makes of arriving calls; a transport is given one to listen for. */
export interface CallReceiver {
  /** The method of these wire names, or `undefined`; transports look it up to know its kind. */
  find(service: string, method: string): ReceivedMethod | undefined
  /** All of them, for transports that tell clients what there is. */
  methods?(): Iterable<ReceivedMethod>
  /**
   * Handles a call. `context` carries its deadline; the transport cancels it when the client goes
   * away and finishes it afterwards. Failures are `MicroError`s, safe to send as they are.
   */
  unary(head: CallHead, body: Uint8Array, context: Context, peer: Peer): Awaitable<Reply>
  /** Resolves with the trailers when all messages have been written. */
  stream(
    head: CallHead,
    stream: ServerStream,
    context: Context,
    peer: Peer,
  ): Promise<Metadata | undefined>
  /** False until the service is ready and from the moment it begins to stop. */
  readonly ready: boolean
}

export interface ReceivedMethod {
  /** Name of the service and method on the wire. */
  readonly service: string
  readonly name: string
  readonly kind: MethodKind
  readonly idempotency: Idempotency
  /** Content-types that can be decoded, the preferred one first. */
  readonly contentTypes: readonly string[]
}

/** A server side that accepts calls. */
export interface Listener {
  /** What to announce; `contentTypes` are filled in by the server. */
  readonly url: string
  /**
   * Announces the end to clients (`connection: close`, go-away), refuses what still comes with
   * `processed: 'no'`, and resolves when no call is running.
   */
  drain(): Promise<void>
  /** Ends what is left and frees the port. Idempotent. */
  close(): Promise<void>
}

export interface DialOptions {
  /** Id of the node behind the endpoint, for errors. */
  readonly node: string
}

/** Moves calls and streams between processes; knows deadlines and errors of its own wire. */
export interface Transport extends Component {
  readonly contract: 'transport/0'
  /** As in `Endpoint.transport`. */
  readonly name: string
  /** Whether nothing goes over its wires but by TLS, whatever a peer asks for. */
  readonly secured?: boolean
  /** Opens the port. @throws `unavailable` or `already_exists`, naming the address. */
  listen(receiver: CallReceiver, options?: AbortOptions): Promise<Listener>
  /** Makes the connection object; no I/O until its first call. */
  dial(endpoint: Pick<Endpoint, 'transport' | 'url'>, options: DialOptions): Connection
}
