import { MicroError, type Processed } from '@micro/core/errors'
import { Metadata } from '@micro/core/metadata'
import type { CallHead, Reply } from '@micro/core/transport'
import { decompress, requireEncoding } from '../compression.ts'
import { codeOfStatus, errorFromJson } from '../errors.ts'
import { addMetadata, essence, isMetadata, parseRetryAfter, processedHeader } from '../headers.ts'

export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>

const trailerPrefix = 'trailer-'

/** Makes a reply, or throws the error, of a whole unary response. */
export async function readReply(
  head: CallHead,
  status: number,
  headers: ResponseHeaders,
  body: Buffer,
  limit: number,
): Promise<Reply> {
  const gzipped = requireEncoding(text(headers['content-encoding']), 'content-encoding')
  const whole = gzipped ? await decompress(body, limit, 'response') : body
  return toReply(head, status, headers, whole)
}

/** The same for a body that is not compressed. */
export function toReply(
  head: CallHead,
  status: number,
  headers: ResponseHeaders,
  body: Buffer,
): Reply {
  const contentType = essence(text(headers['content-type']))
  if (status !== 200) throw toError(status, headers, contentType, body)
  if (contentType !== head.contentType) {
    throw new MicroError(
      'internal',
      `the answer has content-type "${contentType}", not ${head.contentType}`,
      {
        processed: 'yes',
      },
    )
  }
  const reply = splitMetadata(headers)
  return { body, headers: reply.headers, trailers: reply.trailers }
}

/** The metadata among an answer's headers; trailers come as headers with a prefix. */
export function splitMetadata(headers: ResponseHeaders): {
  headers: Metadata | undefined
  trailers: Metadata | undefined
} {
  let plain: Metadata | undefined
  let trailers: Metadata | undefined
  for (const name in headers) {
    if (!isMetadata(name)) continue
    const value = headers[name]
    const trailer = name.startsWith(trailerPrefix)
    if (trailer) trailers ??= new Metadata()
    else plain ??= new Metadata()
    const target = (trailer ? trailers : plain) as Metadata
    const key = trailer ? name.slice(trailerPrefix.length) : name
    if (typeof value === 'string') addMetadata(target, key, value)
    else for (const one of value ?? []) addMetadata(target, key, one)
  }
  return { headers: plain, trailers }
}

function toError(
  status: number,
  headers: ResponseHeaders,
  contentType: string,
  body: Buffer,
): MicroError {
  const metadata = new Metadata(splitMetadata(headers).headers)
  for (const [name, value] of splitMetadata(headers).trailers ?? []) metadata.append(name, value)
  const retryAfter = parseRetryAfter(text(headers['retry-after']))
  const refused = headers[processedHeader] === 'no'
  if (contentType === 'application/json') {
    const json = parseJson(body)
    if (json !== undefined) {
      const processed: Processed = refused ? 'no' : 'yes'
      return errorFromJson(json, codeOfStatus(status), { metadata, processed, retryAfter })
    }
  }
  // Not one of our servers: a proxy, most likely, and no word on whether a service saw the request.
  return new MicroError(codeOfStatus(status), `HTTP status ${status} without a Connect error`, {
    metadata,
    retryAfter,
    processed: refused ? 'no' : 'unknown',
  })
}

function parseJson(body: Buffer): object | undefined {
  try {
    const json: unknown = JSON.parse(body.toString())
    return typeof json === 'object' && json !== null ? json : undefined
  } catch {
    return undefined
  }
}

/** The first value, of a header that has one. */
export function text(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}
