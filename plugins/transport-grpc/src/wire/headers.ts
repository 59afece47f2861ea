import { MicroError } from '@micro/core/errors'
import { Metadata } from '@micro/core/metadata'

/** On a failure: whether a handler saw the request, as in `MicroError.processed`. Ours, on top of gRPC. */
export const processedTrailer = 'micro-processed'

/** When to try again, in milliseconds. Source: grpc/proposal, A6-client-retries.md. */
export const pushbackTrailer = 'grpc-retry-pushback-ms'

/** As Node's HTTP/2 takes them. */
export type Headers = Record<string, string | string[] | undefined>

/** Headers or trailers that arrived: what gRPC knows, and the rest as metadata. */
export interface ReceivedHeaders {
  /** By name, the first value of each. */
  readonly known: Readonly<Record<string, string | undefined>>
  /** Absent while there is none. */
  readonly metadata: Metadata | undefined
}

/** Names that belong to HTTP and gRPC, and are no metadata. */
const reserved = new Set(
  `accept-encoding connection content-length content-type date host http2-settings keep-alive
  proxy-connection server te trailer transfer-encoding upgrade user-agent ${processedTrailer}`.split(
    /\s+/,
  ),
)

/** Node sends these once at most. */
const single = new Set(
  `age authorization access-control-allow-credentials access-control-max-age access-control-request-method
  content-encoding content-language content-location content-md5 content-range dnt etag expires from if-match
  if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards
  proxy-authorization range referer retry-after tk upgrade-insecure-requests x-content-type-options`.split(
    /\s+/,
  ),
)

function isMetadata(name: string): boolean {
  return !name.startsWith(':') && !name.startsWith('grpc-') && !reserved.has(name)
}

/** From the raw list, as Node's object joins the values of a name, which metadata keeps apart. */
export function readHeaders(raw: readonly string[]): ReceivedHeaders {
  const known: Record<string, string | undefined> = Object.create(null)
  let metadata: Metadata | undefined
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string
    const value = raw[at + 1] as string
    if (isMetadata(name)) {
      metadata ??= new Metadata()
      receiveValue(metadata, name, value)
    } else {
      known[name] ??= value
    }
  }
  return { known, metadata }
}

/**
 * Puts metadata into headers.
 *
 * @throws `invalid_argument` for what would not arrive, naming it; nothing has been sent then.
 */
export function addMetadata(headers: Headers, metadata: Metadata | undefined): void {
  if (metadata === undefined || metadata.size === 0) return
  for (const name of metadata.keys()) {
    if (!isMetadata(name)) {
      throw refuse(name, 'the name belongs to HTTP or gRPC; choose another')
    }
    const values = metadata.getAll(name)
    if (values.length > 1 && single.has(name)) throw refuse(name, 'HTTP knows one value of it only')
    headers[name] = values.length === 1 ? values[0] : [...values]
  }
}

/** A value that metadata cannot hold (foreign peers may send any) is left out. */
function receiveValue(metadata: Metadata, name: string, value: string): void {
  try {
    if (!name.endsWith('-bin')) metadata.append(name, value)
    // Several may come as one, and padded or not.
    else for (const one of value.split(',')) metadata.append(name, one.trim().replace(/=+$/, ''))
  } catch (error) {
    if (!MicroError.is(error, 'invalid_argument')) throw error
  }
}

function refuse(name: string, why: string): MicroError {
  return new MicroError('invalid_argument', `metadata "${name}": ${why}`, { processed: 'no' })
}
