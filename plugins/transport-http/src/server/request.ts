import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { Metadata } from '@micro/core/metadata'
import { addMetadata, essence, isMetadata } from '../headers.ts'

/** HTTP/1.1 and HTTP/2 by Node's compatible interfaces, so that one handler serves both. */
export type Request = IncomingMessage | Http2ServerRequest
export type Response = ServerResponse | Http2ServerResponse

/** The headers of a request that the protocol knows, and the rest as metadata. */
export interface RequestHead {
  readonly contentType: string
  readonly contentEncoding: string | undefined
  readonly acceptEncoding: string | undefined
  readonly contentLength: number | undefined
  readonly timeout: string | undefined
  readonly streamEncoding: string | undefined
  readonly streamAcceptEncoding: string | undefined
  readonly origin: string | undefined
  readonly metadata: Metadata
}

/** One walk over the raw headers: `request.headers` would build an object with them all. */
export function readHead(request: Request): RequestHead {
  const raw = request.rawHeaders
  const metadata = new Metadata()
  const head: { -readonly [K in keyof RequestHead]: RequestHead[K] } = {
    contentType: '',
    contentEncoding: undefined,
    acceptEncoding: undefined,
    contentLength: undefined,
    timeout: undefined,
    streamEncoding: undefined,
    streamAcceptEncoding: undefined,
    origin: undefined,
    metadata,
  }
  for (let at = 0; at < raw.length; at += 2) {
    const name = (raw[at] as string).toLowerCase()
    const value = raw[at + 1] as string
    switch (name) {
      case 'host':
      case 'connection':
        break
      case 'content-type':
        head.contentType = essence(value)
        break
      case 'content-length':
        head.contentLength = Number(value)
        break
      case 'content-encoding':
        head.contentEncoding = value
        break
      case 'accept-encoding':
        head.acceptEncoding = value
        break
      case 'connect-timeout-ms':
        head.timeout = value
        break
      case 'connect-content-encoding':
        head.streamEncoding = value
        break
      case 'connect-accept-encoding':
        head.streamAcceptEncoding = value
        break
      case 'origin':
        head.origin = value
        break
      default:
        if (isMetadata(name)) addMetadata(metadata, name, value)
    }
  }
  return head
}

export function acceptsGzip(header: string | undefined): boolean {
  return (
    header?.split(',').some((one) => /^\s*gzip\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/.test(one)) === true
  )
}
