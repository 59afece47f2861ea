import type { ClientHttp2Stream } from 'node:http2'
import { addAbortSignal } from 'node:stream'

const aborted = AbortSignal.abort()

/**
 * Resets the stream with CANCEL as it is. Its `close` would first end the request as if it were whole, and a
 * server could take half a stream for all of it.
 */
export function cancel(stream: ClientHttp2Stream): void {
  if (!stream.destroyed) addAbortSignal(aborted, stream)
}
