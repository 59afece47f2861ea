import { type Code, codes, type ErrorDetail, MicroError, type Processed } from '@micro/core/errors'
import type { Metadata } from '@micro/core/metadata'

/** HTTP status of an error answer. Source: connectrpc.com/docs/protocol, "Error Codes". */
const statuses: Readonly<Record<Code, number>> = {
  cancelled: 499,
  unknown: 500,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 400,
  aborted: 409,
  out_of_range: 400,
  unimplemented: 501,
  internal: 500,
  unavailable: 503,
  data_loss: 500,
  unauthenticated: 401,
}

export function statusOf(code: Code): number {
  return statuses[code]
}

/** The code of an answer that is no Connect error, as of a proxy. Source: same page. */
export function codeOfStatus(status: number): Code {
  switch (status) {
    case 400:
      return 'internal'
    case 401:
      return 'unauthenticated'
    case 403:
      return 'permission_denied'
    case 404:
      return 'unimplemented'
    case 429:
    case 502:
    case 503:
    case 504:
      return 'unavailable'
    default:
      return 'unknown'
  }
}

/** The JSON of an error on the wire. Connect spells one code differently. */
export function errorToJson(error: MicroError): Record<string, unknown> {
  return {
    code: error.code === 'cancelled' ? 'canceled' : error.code,
    message: error.detail,
    ...(error.details.length === 0
      ? {}
      : {
          details: error.details.map(({ type, value, debug }) => ({
            type,
            value: Buffer.from(value).toString('base64').replace(/=+$/, ''),
            ...(debug === undefined ? {} : { debug }),
          })),
        }),
  }
}

/** Reads an error from the wire; anything that is missing or odd is replaced, never thrown. */
export function errorFromJson(
  json: unknown,
  fallback: Code,
  facts: {
    readonly metadata?: Metadata
    readonly processed: Processed
    readonly retryAfter?: number | undefined
  },
): MicroError {
  const { code, message, details } =
    typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : {}
  const name = code === 'canceled' ? 'cancelled' : code
  const known = codes.find((one) => one === name) ?? fallback
  return new MicroError(
    known,
    typeof message === 'string' ? message : 'the server gave no message',
    {
      details: Array.isArray(details) ? details.flatMap(readDetail) : [],
      ...facts,
    },
  )
}

function readDetail(detail: unknown): ErrorDetail[] {
  const { type, value, debug } =
    typeof detail === 'object' && detail !== null ? (detail as Record<string, unknown>) : {}
  if (typeof type !== 'string' || typeof value !== 'string') return []
  const bytes = new Uint8Array(Buffer.from(value, 'base64'))
  return [{ type, value: bytes, ...(debug === undefined ? {} : { debug }) }]
}

/** What a socket, undici or node:http2 throws. `sent` says whether a byte of the request may have left. */
export function fromTransport(cause: unknown, address: string, sent: boolean): MicroError {
  if (MicroError.is(cause)) return cause
  const { code, message } = cause as { code?: unknown; message?: unknown }
  const refused = code === 'ERR_HTTP2_STREAM_ERROR' && String(message).includes('REFUSED_STREAM')
  const what = typeof code === 'string' ? code : String(message ?? cause)
  if (code === 'UND_ERR_HEADERS_OVERFLOW' || code === 'HPE_HEADER_OVERFLOW') {
    return new MicroError('resource_exhausted', `the headers of ${address} exceed maxHeaderSize`, {
      cause,
    })
  }
  if (typeof code === 'string' && code.startsWith('ERR_HTTP2_HEADER_')) {
    return new MicroError('invalid_argument', `metadata that HTTP/2 does not carry: ${message}`, {
      cause,
      processed: 'no',
    })
  }
  return new MicroError(
    'unavailable',
    `${sent ? 'the connection broke' : 'cannot connect'} to ${address}: ${what}`,
    {
      cause,
      processed: sent && !refused ? 'unknown' : 'no',
      origin: { side: 'client', phase: sent ? 'wait' : 'connect' },
    },
  )
}

/** What `listen` throws. */
export function fromListen(cause: unknown, address: string): MicroError {
  const { code } = cause as { code?: string }
  if (code === 'EADDRINUSE') {
    return new MicroError(
      'already_exists',
      `${address} is in use: choose another port, or 0 for any`,
      { cause },
    )
  }
  if (code === 'EACCES') {
    return new MicroError(
      'permission_denied',
      `${address} may not be listened on: choose a port above 1023`,
      { cause },
    )
  }
  return new MicroError('unavailable', `cannot listen on ${address}: ${code ?? String(cause)}`, {
    cause,
  })
}

export function tooLarge(limit: number, side: string): MicroError {
  return new MicroError(
    'resource_exhausted',
    `the ${side} exceeds maxMessageSize of ${limit} bytes`,
  )
}
