import { codes, type ErrorDetail, MicroError, type Processed } from '@micro/core/errors'
import { Metadata } from '@micro/core/metadata'

/** A peer that breaks the rules of the wire; ends its connection. */
export function protocolError(what: string): MicroError {
  return new MicroError('internal', `the peer broke the protocol: ${what}`)
}

export function tooLarge(what: 'request' | 'response', limit: number): MicroError {
  return new MicroError(
    'resource_exhausted',
    `the ${what} exceeds maxMessageSize of ${limit} bytes`,
  )
}

export function headersTooLarge(limit: number): MicroError {
  return new MicroError(
    'resource_exhausted',
    `the metadata exceeds maxHeaderSize of ${limit} bytes`,
  )
}

/** What a socket says when it cannot be had, or breaks. */
export function fromSocket(
  cause: unknown,
  address: string,
  phase: 'connect' | 'wait',
  processed: Processed,
): MicroError {
  const { code, message } = cause as { code?: unknown; message?: unknown }
  const what = typeof code === 'string' ? code : String(message ?? cause)
  return new MicroError(
    'unavailable',
    `${phase === 'connect' ? 'cannot connect to' : 'the connection broke to'} ${address}: ${what}`,
    { cause, processed, origin: { side: 'client', phase } },
  )
}

export function fromListen(cause: unknown, address: string): MicroError {
  const { code } = cause as { code?: string }
  if (code === 'EADDRINUSE') {
    return new MicroError('already_exists', `${address} is in use: choose another`, { cause })
  }
  if (code === 'EACCES') {
    return new MicroError('permission_denied', `${address} may not be listened on`, { cause })
  }
  return new MicroError('unavailable', `cannot listen on ${address}: ${code ?? String(cause)}`, {
    cause,
  })
}

/** The JSON of an error frame; of one that is longer than `limit`, no more than what it says first. */
export function encodeError(error: MicroError, limit: number): Buffer {
  const payload = encode(error)
  if (payload.length <= limit) return payload
  const { code, detail, processed } = error
  return encode(new MicroError(code, detail.slice(0, 8_192), { processed }))
}

function encode(error: MicroError): Buffer {
  const { code, detail, processed, retryAfter, details, metadata } = error
  return Buffer.from(
    JSON.stringify({
      code,
      detail,
      processed,
      retryAfter,
      details: details.map(({ type, value, debug }) => ({
        type,
        value: Buffer.from(value).toString('base64'),
        debug,
      })),
      metadata: [...metadata],
    }),
  )
}

/** Reads an error frame; anything that is missing or odd is replaced, never thrown. */
export function decodeError(payload: Buffer): MicroError {
  let json: Record<string, unknown> = {}
  try {
    json = Object(JSON.parse(payload.toString())) as typeof json
  } catch {
    // What it should have said is not known; that the call failed is.
  }
  const { code, detail, processed, retryAfter, details, metadata } = json
  return new MicroError(
    codes.find((one) => one === code) ?? 'unknown',
    typeof detail === 'string' ? detail : 'the server gave no message',
    {
      processed: processed === 'no' || processed === 'yes' ? processed : 'unknown',
      ...(typeof retryAfter === 'number' && retryAfter >= 0 ? { retryAfter } : {}),
      details: Array.isArray(details) ? details.flatMap(readDetail) : [],
      metadata: readMetadata(metadata),
    },
  )
}

function readDetail(detail: unknown): ErrorDetail[] {
  const { type, value, debug } = Object(detail) as Record<string, unknown>
  if (typeof type !== 'string' || typeof value !== 'string') return []
  const bytes = new Uint8Array(Buffer.from(value, 'base64'))
  return [{ type, value: bytes, ...(debug === undefined ? {} : { debug }) }]
}

function readMetadata(entries: unknown): Metadata {
  const metadata = new Metadata()
  for (const entry of Array.isArray(entries) ? entries : []) {
    const [key, value] = Array.isArray(entry) ? (entry as unknown[]) : []
    if (typeof key !== 'string' || typeof value !== 'string') continue
    try {
      metadata.append(key, value)
    } catch {
      // A foreign server may send what metadata cannot hold.
    }
  }
  return metadata
}
