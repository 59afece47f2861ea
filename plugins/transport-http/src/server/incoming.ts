import { MicroError } from '@micro/core/errors'
import type { CallReceiver, ReceivedMethod } from '@micro/core/transport'
import type { Settings } from '../options.ts'
import type { Request, RequestHead, Response } from './request.ts'
import { type FlatHeaders, sendError } from './respond.ts'

/** One request, and what is needed to answer it. */
export interface Incoming {
  readonly receiver: CallReceiver
  readonly settings: Settings
  readonly request: Request
  readonly response: Response
  readonly head: RequestHead
  /** Headers of every answer to this request. */
  readonly headers: FlatHeaders
  readonly path: string
  readonly query: string
}

/** @throws `unimplemented`, naming the path. */
export function findMethod({ receiver }: Incoming, path: string): ReceivedMethod {
  const slash = path.lastIndexOf('/')
  const method = slash > 0 ? receiver.find(path.slice(1, slash), path.slice(slash + 1)) : undefined
  if (method !== undefined) return method
  throw new MicroError(
    'unimplemented',
    `unknown method ${path.slice(0, 200)}: the path is /<service>/<method>`,
    { processed: 'no' },
  )
}

/** Refuses the request with a header that says what would be taken. */
export function refuse(
  incoming: Incoming,
  status: number,
  name: string,
  value: string,
  why: string,
): void {
  const { request, response, headers } = incoming
  headers.push(name, value)
  const error = new MicroError('unimplemented', `${why}; use ${value}`, { processed: 'no' })
  sendError(response, error, headers, status)
  request.resume()
}
