import { constants } from 'node:http2'
import {
  type Code,
  codeFromNumber,
  codeToNumber,
  MicroError,
  type Processed,
} from '@micro/core/errors'
import { readGoMessage, writeGoMessage } from './wire/go-message.ts'
import {
  addMetadata,
  type Headers,
  processedTrailer,
  pushbackTrailer,
  type ReceivedHeaders,
} from './wire/headers.ts'
import { decodePercent, encodePercent } from './wire/percent.ts'
import {
  detailsTrailer,
  readStatusDetails,
  retryDelay,
  writeStatusDetails,
} from './wire/status-details.ts'

/** How failures are told: as gRPC has it, or as Micro for Go does. */
export type Dialect = 'grpc' | 'micro-go'

export function tooLarge(what: 'request' | 'response', limit: number): MicroError {
  return new MicroError(
    'resource_exhausted',
    `the ${what} exceeds maxMessageSize of ${limit} bytes`,
  )
}

/** Anything that is thrown, as an answer. Foreign errors are told of as `internal` only. */
export function toMicroError(error: unknown): MicroError {
  return MicroError.is(error)
    ? error
    : new MicroError('internal', 'internal error', { cause: error })
}

/** The trailers that tell a failure. */
export function toTrailers(error: MicroError, dialect: Dialect): Headers {
  const number = codeToNumber(error.code)
  const message = dialect === 'grpc' ? error.detail : writeGoMessage(error)
  const trailers: Headers = {
    'grpc-status': String(number),
    'grpc-message': encodePercent(message),
  }
  // A server that says nothing is taken to know nothing.
  if (error.processed !== 'unknown') trailers[processedTrailer] = error.processed
  if (error.retryAfter !== undefined) {
    trailers[pushbackTrailer] = String(Math.ceil(error.retryAfter))
  }
  if (error.details.length > 0) {
    trailers[detailsTrailer] = writeStatusDetails(number, message, error.details)
  }
  try {
    addMetadata(trailers, error.metadata)
  } catch {
    // What a handler attached to its error may be no trailer. That it failed is told all the same.
  }
  return trailers
}

/** The failure that trailers tell; `undefined` if all went well or they hold no status. */
export function fromTrailers(
  { known, metadata }: ReceivedHeaders,
  dialect: Dialect,
): MicroError | undefined {
  const number = known['grpc-status']
  if (number === undefined || number === '0') return undefined
  const message = decodePercent(known['grpc-message'] ?? '')
  const go = dialect === 'micro-go' ? readGoMessage(message) : undefined
  const details = readStatusDetails(Buffer.from(known[detailsTrailer] ?? '', 'base64'))
  const mark = known[processedTrailer]
  const code = codeFromNumber(Number(number))
  const retryAfter = pushback(known[pushbackTrailer]) ?? retryDelay(details)
  // Micro for Go has `unknown` for every number that it knows no name for.
  return new MicroError(code === 'unknown' ? (go?.code ?? code) : code, go?.detail ?? message, {
    details,
    metadata,
    processed: mark === 'no' || mark === 'yes' ? mark : 'unknown',
    retryAfter,
  })
}

/** An answer that is none of gRPC's, as of a proxy. Source: grpc/grpc, doc/http-grpc-status-mapping.md. */
export function fromHttpStatus(status: number, address: string): MicroError {
  const codes: Readonly<Record<number, Code>> = {
    400: 'internal',
    401: 'unauthenticated',
    403: 'permission_denied',
    404: 'unimplemented',
    429: 'unavailable',
    502: 'unavailable',
    503: 'unavailable',
    504: 'unavailable',
  }
  return new MicroError(codes[status] ?? 'unknown', `${address} answered with HTTP ${status}`)
}

/** What is known of a stream that closed without a status. */
export interface ClosedStream {
  readonly address: string
  readonly rstCode: number | undefined
  /** Whether bytes of it may have left. */
  readonly sent: boolean
  /** Whether a go-away said that the server will not see it. */
  readonly leftOut: boolean
  /** Whether its connection is gone. */
  readonly broken: boolean
  readonly cause: unknown
}

/** Source of the codes: grpc/grpc, doc/PROTOCOL-HTTP2.md, "Errors". */
export function fromClosedStream(closed: ClosedStream): MicroError {
  const { address, rstCode, sent, leftOut, broken, cause } = closed
  if (!sent || leftOut || rstCode === constants.NGHTTP2_REFUSED_STREAM) {
    return unavailable(`${address} has not taken the call`, 'no', sent ? 'wait' : 'send', cause)
  }
  if (broken) return unavailable(`the connection to ${address} broke`, 'unknown', 'wait', cause)
  const codes: Readonly<Record<number, Code>> = {
    [constants.NGHTTP2_CANCEL]: 'cancelled',
    [constants.NGHTTP2_ENHANCE_YOUR_CALM]: 'resource_exhausted',
    [constants.NGHTTP2_INADEQUATE_SECURITY]: 'permission_denied',
  }
  return new MicroError(
    codes[rstCode ?? 0] ?? 'internal',
    `${address} closed the stream without a status, with HTTP/2 code ${rstCode ?? 0}`,
    { cause, origin: { side: 'client', phase: 'wait' } },
  )
}

export function unavailable(
  detail: string,
  processed: Processed,
  phase: string,
  cause?: unknown,
): MicroError {
  const { code, message } = (cause ?? {}) as { code?: unknown; message?: unknown }
  const why = code ?? message
  return new MicroError('unavailable', why === undefined ? detail : `${detail}: ${String(why)}`, {
    cause,
    processed,
    origin: { side: 'client', phase },
  })
}

/** A server that answers otherwise than the protocol has it. */
export function badAnswer(address: string, what: string): MicroError {
  return new MicroError('internal', `${address} ${what}`, { processed: 'yes' })
}

/** Headers that Node does not send, or a stream it does not open. Nothing has left then. */
export function fromRequest(cause: unknown, address: string): MicroError {
  const { code } = cause as { code?: unknown }
  if (
    typeof code === 'string' &&
    /^ERR_(HTTP2_(HEADER|INVALID_HEADER|PSEUDO)|INVALID)/.test(code)
  ) {
    return new MicroError('invalid_argument', `headers that HTTP/2 does not carry: ${code}`, {
      cause,
      processed: 'no',
    })
  }
  return unavailable(`cannot call ${address}`, 'no', 'send', cause)
}

/** What `listen` throws. */
export function fromListen(cause: unknown, address: string): MicroError {
  const { code } = cause as { code?: string }
  const [name, why]: [Code, string] =
    code === 'EADDRINUSE'
      ? ['already_exists', `${address} is in use: choose another port, or 0 for any`]
      : code === 'EACCES'
        ? ['permission_denied', `${address} may not be listened on: choose a port above 1023`]
        : ['unavailable', `cannot listen on ${address}: ${code ?? String(cause)}`]
  return new MicroError(name, why, { cause })
}

function pushback(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,10}$/.test(value) ? Number(value) : undefined
}
