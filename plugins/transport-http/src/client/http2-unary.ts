import type { Context } from '@micro/core/context'
import type { CallHead, Reply } from '@micro/core/transport'
import { tooLarge } from '../errors.ts'
import type { Settings } from '../options.ts'
import { type Exchange, openHttp2 } from './exchange.ts'
import type { SessionHolder } from './http2-session.ts'
import { readReply } from './read-reply.ts'
import { unaryHeaders } from './request-headers.ts'

export interface Http2Call {
  readonly sessions: SessionHolder
  readonly address: string
  readonly settings: Settings
  readonly head: CallHead
  readonly path: string
  readonly body: Uint8Array
  readonly encoding: string | undefined
  readonly context: Context
}

/** One unary call on a stream of the shared HTTP/2 connection. */
export async function callHttp2(call: Http2Call): Promise<Reply> {
  const { head, settings } = call
  const headers = unaryHeaders(head, call.context)
  if (call.encoding !== undefined) headers.push('content-encoding', call.encoding)
  return untilCancelled(call.context, async (onExchange) => {
    const exchange = await openHttp2(call.sessions, call.address, call.path, headers)
    onExchange(exchange)
    exchange.request.end(call.body)
    const response = await exchange.response
    const chunks: Buffer[] = []
    let size = 0
    try {
      for await (const chunk of response.body) {
        size += (chunk as Buffer).length
        if (size > settings.maxMessageSize) throw tooLarge(settings.maxMessageSize, 'response')
        chunks.push(chunk as Buffer)
      }
    } catch (error) {
      exchange.abort()
      throw exchange.translate(error)
    }
    return readReply(
      head,
      response.status,
      response.headers,
      Buffer.concat(chunks, size),
      settings.maxMessageSize,
    )
  })
}

/** Rejects with the context's reason as soon as it is cancelled, and aborts the exchange. */
function untilCancelled(
  context: Context,
  run: (onExchange: (exchange: Exchange) => void) => Promise<Reply>,
): Promise<Reply> {
  return new Promise<Reply>((resolve, reject) => {
    let exchange: Exchange | undefined
    const removeListener = context.onCancel((reason) => {
      reject(reason)
      exchange?.abort()
    })
    run((made) => {
      exchange = made
      if (context.cancelled) made.abort()
    })
      .then(resolve, reject)
      .finally(removeListener)
  })
}
