import { MicroError } from '@micro/core/errors'
import type { Metadata } from '@micro/core/metadata'

/** Set when the call was refused before any handler saw it, so that it may be made again elsewhere. */
export const processedHeader = 'micro-processed'

/** Headers of HTTP and of the protocol, which are no metadata. */
const protocolHeaders = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'accept-post',
  'allow',
  'access-control-allow-origin',
  'access-control-expose-headers',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'date',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'origin',
  'proxy-connection',
  'referer',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'vary',
  processedHeader,
])

export function isMetadata(name: string): boolean {
  return !protocolHeaders.has(name) && !name.startsWith('connect-') && !name.startsWith(':')
}

/** Adds a header's value; one that metadata cannot hold (foreign clients may send any) is left out. */
export function addMetadata(metadata: Metadata, name: string, value: string): void {
  try {
    metadata.append(name, value)
  } catch (error) {
    if (!MicroError.is(error, 'invalid_argument')) throw error
  }
}

const timeoutFormat = /^\d{1,10}$/

/** Milliseconds of a `connect-timeout-ms` header. @throws `invalid_argument`, naming it. */
export function parseTimeout(value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  if (timeoutFormat.test(value)) return Number(value)
  throw new MicroError(
    'invalid_argument',
    `header connect-timeout-ms: ${JSON.stringify(value.slice(0, 40))}; give milliseconds as at most 10 digits`,
    { processed: 'no' },
  )
}

/** The value of the header for what is left; absent without a deadline. */
export function formatTimeout(remaining: number): string | undefined {
  if (remaining === Number.POSITIVE_INFINITY) return undefined
  return String(Math.min(Math.max(1, Math.ceil(remaining)), 9_999_999_999))
}

/** A content-type without parameters, in lower case. */
export function essence(contentType: string | undefined): string {
  if (contentType === undefined) return ''
  const end = contentType.indexOf(';')
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase()
}

const streamPrefix = 'application/connect+'

/** `application/json` ⇄ `application/connect+json`. */
export function toStreamType(contentType: string): string {
  return streamPrefix + contentType.slice(contentType.indexOf('/') + 1)
}

/** The content-type of a stream's messages; `undefined` for one that is no stream's. */
export function fromStreamType(contentType: string, known: readonly string[]): string | undefined {
  if (!contentType.startsWith(streamPrefix)) return undefined
  const subtype = contentType.slice(streamPrefix.length)
  return known.find((type) => type.slice(type.indexOf('/') + 1) === subtype)
}

/** Seconds of a `retry-after` header, in milliseconds; dates are not taken. */
export function parseRetryAfter(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,6}$/.test(value) ? Number(value) * 1_000 : undefined
}
