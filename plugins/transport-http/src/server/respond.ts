import { MicroError } from '@micro/core/errors'
import type { Metadata } from '@micro/core/metadata'
import { errorToJson, statusOf } from '../errors.ts'
import { processedHeader } from '../headers.ts'
import type { Response } from './request.ts'

/** Names and values in turn, as `writeHead` takes them without an object in between. */
export type FlatHeaders = (string | number)[]

export function addHeaders(
  headers: FlatHeaders,
  metadata: Metadata | undefined,
  prefix = '',
): void {
  if (metadata === undefined || metadata.size === 0) return
  for (const [name, value] of metadata) headers.push(prefix + name, value)
}

/** Sends a whole answer. Nothing happens if the client has gone. */
export function send(
  response: Response,
  status: number,
  headers: FlatHeaders,
  body: Uint8Array,
): void {
  if (response.destroyed || response.headersSent) return
  headers.push('content-length', body.length)
  writeHead(response, status, headers)
  response.end(body)
}

export function writeHead(response: Response, status: number, headers: FlatHeaders): void {
  // HTTP/2's response takes an object only.
  if ('stream' in response) response.writeHead(status, toObject(headers))
  else response.writeHead(status, headers as string[])
}

/** Sends a failure as Connect's JSON, whatever the codec of the call. */
export function sendError(
  response: Response,
  error: MicroError,
  headers: FlatHeaders = [],
  status?: number,
): void {
  headers.push('content-type', 'application/json')
  if (error.processed === 'no') headers.push(processedHeader, 'no')
  if (error.retryAfter !== undefined)
    headers.push('retry-after', Math.ceil(error.retryAfter / 1_000))
  addHeaders(headers, error.metadata)
  send(
    response,
    status ?? statusOf(error.code),
    headers,
    Buffer.from(JSON.stringify(errorToJson(error))),
  )
}

function toObject(headers: FlatHeaders): Record<string, string | string[]> {
  const object: Record<string, string | string[]> = Object.create(null)
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] as string
    const value = String(headers[at + 1])
    const known = object[name]
    if (known === undefined) object[name] = value
    else if (Array.isArray(known)) known.push(value)
    else object[name] = [known, value]
  }
  return object
}

/** Anything that is thrown, as an answer. Foreign errors are told of as `internal` only. */
export function toMicroError(error: unknown): MicroError {
  return MicroError.is(error)
    ? error
    : new MicroError('internal', 'internal error', { cause: error })
}
