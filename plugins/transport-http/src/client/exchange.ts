import { type ClientRequest, request as requestHttp1 } from 'node:http'
import { type ClientHttp2Stream, constants } from 'node:http2'
import { request as requestHttps } from 'node:https'
import type { Readable, Writable } from 'node:stream'
import { MicroError } from '@micro/core/errors'
import { fromTransport } from '../errors.ts'
import type { Settings } from '../options.ts'
import { holdSession, type SessionHolder } from './http2-session.ts'
import type { ResponseHeaders } from './read-reply.ts'
import { toHeaders, toRecord } from './request-headers.ts'

export interface ExchangeHead {
  readonly status: number
  readonly headers: ResponseHeaders
  readonly body: Readable
}

/** One request and response whose bodies may flow at the same time. */
export interface Exchange {
  readonly request: Writable
  /** Rejects with a `MicroError` if no response begins. */
  readonly response: Promise<ExchangeHead>
  /** Ends both directions. */
  abort(): void
  /** The error of a body that broke off, told apart from one that ended. */
  translate(cause: unknown): MicroError
}

export async function openHttp2(
  sessions: SessionHolder,
  address: string,
  path: string,
  headers: readonly string[],
): Promise<Exchange> {
  const session = await sessions.open().catch((error: unknown) => {
    throw fromTransport(error, address, false)
  })
  // `close` would first end the body as if it were whole; the signal resets the stream as it is.
  const aborter = new AbortController()
  let stream: ClientHttp2Stream
  try {
    stream = session.request(
      { ':method': 'POST', ':path': path, ...toRecord(headers) },
      { endStream: false, signal: aborter.signal },
    )
  } catch (error) {
    // The session began to close while this one waited for it.
    throw fromTransport(error, address, false)
  }
  holdSession(session, stream)
  const translate = (cause: unknown): MicroError => {
    if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) {
      return new MicroError('unavailable', `${address} refused the stream`, {
        cause,
        processed: 'no',
      })
    }
    // Without an id, nothing of it has been written.
    return fromTransport(cause, address, !stream.pending)
  }
  const response = new Promise<ExchangeHead>((resolve, reject) => {
    stream.on('response', (received, _flags, raw) => {
      resolve({ status: Number(received[':status']), headers: toHeaders(raw), body: stream })
    })
    stream.on('error', (error) => reject(translate(error)))
    stream.on('close', () => reject(translate(new Error('closed without an answer'))))
  })
  response.catch(() => undefined)
  return { request: stream, response, abort: () => aborter.abort(), translate }
}

export function openHttp1(
  origin: string,
  settings: Settings,
  path: string,
  headers: readonly string[],
): Exchange {
  const url = new URL(path, origin)
  const request: ClientRequest = (url.protocol === 'https:' ? requestHttps : requestHttp1)(url, {
    method: 'POST',
    headers: toRecord(headers),
    maxHeaderSize: settings.maxHeaderSize,
    ...settings.tls?.current(),
  })
  let sent = false
  request.on('socket', (socket) => {
    if (socket.connecting)
      socket.once('connect', () => {
        sent = true
      })
    else sent = true
  })
  const translate = (cause: unknown): MicroError => fromTransport(cause, url.host, sent)
  const response = new Promise<ExchangeHead>((resolve, reject) => {
    request.on('response', (message) => {
      const headers = toHeaders(message.rawHeaders)
      resolve({ status: message.statusCode ?? 0, headers, body: message })
    })
    request.on('error', (error) => reject(translate(error)))
    request.on('close', () => reject(translate(new Error('closed without an answer'))))
  })
  response.catch(() => undefined)
  // Headers go at once, so that the server can accept the stream before its first message.
  request.flushHeaders()
  return { request, response, abort: () => request.destroy(), translate }
}
