import type { Context } from '@micro/core/context'
import type { CallHead } from '@micro/core/transport'
import { formatTimeout, toStreamType } from '../headers.ts'

const userAgent = 'micro-ts'

/** Names and values in turn, as undici takes them. */
export function unaryHeaders(head: CallHead, context: Context): string[] {
  const headers = ['content-type', head.contentType, ...common(head, context)]
  headers.push('accept-encoding', 'gzip')
  return headers
}

export function streamHeaders(head: CallHead, context: Context, gzip: boolean): string[] {
  const headers = ['content-type', toStreamType(head.contentType), ...common(head, context)]
  headers.push('connect-accept-encoding', 'gzip')
  if (gzip) headers.push('connect-content-encoding', 'gzip')
  return headers
}

function common(head: CallHead, context: Context): string[] {
  const headers = ['connect-protocol-version', '1', 'user-agent', userAgent]
  const timeout = formatTimeout(context.remaining())
  if (timeout !== undefined) headers.push('connect-timeout-ms', timeout)
  if (head.metadata.size > 0) for (const [name, value] of head.metadata) headers.push(name, value)
  return headers
}

/** For node:http2, which takes an object. */
export function toRecord(headers: readonly string[]): Record<string, string | string[]> {
  const record: Record<string, string | string[]> = Object.create(null)
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] as string
    const value = headers[at + 1] as string
    const known = record[name]
    if (known === undefined) record[name] = value
    else if (Array.isArray(known)) known.push(value)
    else record[name] = [known, value]
  }
  return record
}

/** Of a response: Node's own object joins the values of a name, which metadata keeps apart. */
export function toHeaders(raw: readonly string[]): Record<string, string | string[]> {
  return toRecord(raw.map((part, at) => (at % 2 === 0 ? part.toLowerCase() : part)))
}
