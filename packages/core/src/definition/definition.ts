import type { InferInput, InferOutput, StandardSchema } from '../schema/standard-schema.ts'

export type MethodKind = 'unary' | 'server_stream' | 'client_stream' | 'bidi_stream'

/**
 * Whether a call may be made twice. `no_side_effects` may also be cached and sent by GET.
 *
 * Source: `google.protobuf.MethodOptions.idempotency_level`.
 */
export type Idempotency = 'unknown' | 'idempotent' | 'no_side_effects'

/** What a codec is told about the messages of one direction of a method. */
export interface MessageType {
  /** For errors: `greeter/hello input`. */
  readonly name: string
  readonly schema?: StandardSchema | undefined
  /** A schema of another world, such as a protobuf descriptor; codecs that know it bind it. */
  readonly descriptor?: unknown
}

/**
 * Who may call a method where no rule says otherwise: accounts with one of these scopes. As in rules,
 * `'*'` is any account and `''` everyone.
 */
export interface MethodAccess {
  readonly scopes: readonly string[]
}

/**
 * One method. `In` is what a caller writes and `Parsed` what the handler reads of it; `Returned` is
 * what the handler returns and `Out` what the caller reads. They differ where a schema transforms.
 */
export interface Method<
  Kind extends MethodKind = MethodKind,
  In = unknown,
  Parsed = unknown,
  Returned = unknown,
  Out = unknown,
> {
  readonly kind: Kind
  readonly input: Omit<MessageType, 'name'>
  readonly output: Omit<MessageType, 'name'>
  readonly idempotency: Idempotency
  /** Milliseconds a unary or client-streaming call may take when the caller sets none. */
  readonly timeout?: number | undefined
  readonly access?: MethodAccess | undefined
  /** Name on the wire, where it differs from the key in the definition: `SayHello`. */
  readonly wireName?: string | undefined
  /** Carries the types only; never set. */
  readonly types?: { in: In; parsed: Parsed; returned: Returned; out: Out } | undefined
}

export type Methods = Readonly<Record<string, Method>>

/** A contract between clients and handlers, made by `defineService` or from a `.proto`. */
export interface ServiceDefinition<M extends Methods = Methods> {
  /** Name on the wire and, unless the client says otherwise, in discovery: `greeter`. */
  readonly name: string
  readonly methods: M
}

export interface MethodOptions {
  /** @default 'unknown' */
  readonly idempotency?: Idempotency
  /** Milliseconds. @default the client's: 5,000 */
  readonly timeout?: number
  /** Who may call it where no rule says otherwise. @default as the service's `access` has it */
  readonly access?: MethodAccess
}

export interface SchemaMethodOptions<
  In extends StandardSchema | undefined,
  Out extends StandardSchema | undefined,
> extends MethodOptions {
  /** Checked by the caller before sending and by the server, which hands its output on. */
  readonly input?: In
  /** Checked by the server, which sends its output. */
  readonly output?: Out
}

export type InputOf<Schema> = Schema extends StandardSchema ? InferInput<Schema> : unknown
export type OutputOf<Schema> = Schema extends StandardSchema ? InferOutput<Schema> : unknown
