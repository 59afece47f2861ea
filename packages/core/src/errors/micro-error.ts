import { Metadata, type MetadataInit } from '../metadata/metadata.ts'
import type { Code } from './codes.ts'

/**
 * Whether the request reached a handler, as far as the side that failed can prove.
 *
 * `no` only for: connect failed, no byte written, refused by HTTP/2 or go-away above the last id,
 * or an explicit not-dispatched mark. It alone allows a retry that needs no idempotence.
 */
export type Processed = 'no' | 'unknown' | 'yes'

/** A typed detail as on the wires of gRPC and Connect: a protobuf message by its full name. */
export interface ErrorDetail {
  /** Full name without a URL prefix: `google.rpc.BadRequest`. */
  readonly type: string
  /** The encoded message. */
  readonly value: Uint8Array
  /** Readable form, where one is known; for people, not for programs. */
  readonly debug?: unknown
}

/** Where a failure happened. */
export interface ErrorOrigin {
  readonly side: 'client' | 'server'
  /** The step of the call that failed: `validate`, `route`, `connect`, `send`, `handle`, … */
  readonly phase: string
  readonly service?: string | undefined
  readonly method?: string | undefined
  /** Id of the node that was called. */
  readonly node?: string | undefined
  /** Attempts made, the failed one included. */
  readonly attempts?: number | undefined
}

export interface MicroErrorOptions {
  readonly details?: readonly ErrorDetail[] | undefined
  readonly metadata?: MetadataInit | undefined
  readonly cause?: unknown
  /** @default 'unknown' */
  readonly processed?: Processed | undefined
  readonly origin?: ErrorOrigin | undefined
  /** Milliseconds after which the server asks to be called again at the earliest. */
  readonly retryAfter?: number | undefined
}

const brand = Symbol.for('micro.error')

/** The only error that leaves this library, other than the `reason` of a caller's own signal. */
export class MicroError extends Error {
  override readonly name = 'MicroError'
  readonly code: Code
  /** What went wrong and how to mend it, without the code and the place. */
  readonly detail: string
  readonly details: readonly ErrorDetail[]
  readonly metadata: Metadata
  readonly processed: Processed
  readonly origin: ErrorOrigin | undefined
  readonly retryAfter: number | undefined

  constructor(code: Code, detail: string, options: MicroErrorOptions = {}) {
    super(
      describe(code, detail, options.origin),
      options.cause === undefined ? undefined : { cause: options.cause },
    )
    this.code = code
    this.detail = detail
    this.details = options.details ?? []
    this.metadata = Metadata.from(options.metadata)
    this.processed = options.processed ?? 'unknown'
    this.origin = options.origin
    this.retryAfter = options.retryAfter
  }

  /** Recognises errors of any copy of this library in the process, of `code` if one is given. */
  static is(error: unknown, code?: Code): error is MicroError {
    return (
      typeof error === 'object' &&
      error !== null &&
      (error as { [brand]?: unknown })[brand] === true &&
      (code === undefined || (error as MicroError).code === code)
    )
  }

  /** The same failure with some of its facts replaced; the original stays as `cause`. */
  with(options: MicroErrorOptions): MicroError {
    return new MicroError(this.code, this.detail, {
      details: this.details,
      metadata: this.metadata,
      processed: this.processed,
      origin: this.origin,
      retryAfter: this.retryAfter,
      cause: this.cause ?? this,
      ...options,
    })
  }
}

// On the prototype, for `is`: every copy of this library sets the same symbol.
Object.defineProperty(MicroError.prototype, brand, { value: true })

function describe(code: Code, detail: string, origin: ErrorOrigin | undefined): string {
  if (origin === undefined) return `${code}: ${detail}`
  const call = origin.service === undefined ? '' : `${origin.service}/${origin.method ?? '?'}`
  const node = origin.node === undefined ? '' : ` on ${origin.node}`
  const attempts = (origin.attempts ?? 1) > 1 ? `, attempt ${origin.attempts}` : ''
  return `${code}: ${detail} (${origin.side} ${origin.phase} ${call}${node}${attempts})`
}
