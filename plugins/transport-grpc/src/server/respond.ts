import { constants, type ServerHttp2Stream } from 'node:http2'
import type { MicroError } from '@micro/core/errors'
import type { Metadata } from '@micro/core/metadata'
import { toTrailers } from '../errors.ts'
import type { Settings } from '../options.ts'
import { encodings } from '../wire/gzip.ts'
import { addMetadata, type Headers } from '../wire/headers.ts'
import type { Incoming } from './incoming.ts'

const ok: Readonly<Headers> = { 'grpc-status': '0' }

/** Nobody reads the date of a gRPC answer. Node's types do not have the option yet. */
const withMessages: { waitForTrailers: boolean; sendDate: boolean } = {
  waitForTrailers: true,
  sendDate: false,
}
const whole: { endStream: boolean; sendDate: boolean } = { endStream: true, sendDate: false }

/** Whether answers to this call are compressed where they are large enough. */
export function compressesFrom({ headers, settings }: Incoming): number | false {
  const accepted = headers.known['grpc-accept-encoding']?.split(',').map((one) => one.trim())
  return accepted?.includes('gzip') === true ? settings.compressFrom : false
}

/**
 * Sends the headers of an answer that has messages. Its trailers are those that `trailers` gives in the
 * end.
 *
 * @throws `invalid_argument` for metadata that is no header; nothing has been sent then.
 */
export function sendHeaders(
  { stream, grpcType }: Incoming,
  metadata: Metadata | undefined,
  gzip: boolean,
  trailers: () => Headers,
): void {
  const headers: Headers = {
    ':status': '200',
    'content-type': grpcType,
    'grpc-accept-encoding': gzip ? encodings : undefined,
    'grpc-encoding': gzip ? 'gzip' : undefined,
  }
  addMetadata(headers, metadata)
  stream.respond(headers, withMessages)
  stream.once('wantTrailers', () => {
    stream.sendTrailers(trailers())
    leave(stream)
  })
}

export function okTrailers(metadata: Metadata | undefined): Headers {
  if (metadata === undefined || metadata.size === 0) return ok
  const trailers = { ...ok }
  addMetadata(trailers, metadata)
  return trailers
}

/** Sends a failure as the whole answer. Nothing happens if the client has gone. */
export function sendFailure(
  stream: ServerHttp2Stream,
  grpcType: string,
  error: MicroError,
  { dialect }: Settings,
): void {
  if (stream.destroyed || stream.closed || stream.headersSent) return
  const headers = { ':status': '200', 'content-type': grpcType, ...toTrailers(error, dialect) }
  try {
    stream.respond(headers, whole)
  } catch {
    // Metadata that Node refuses is left out.
    stream.respond(
      {
        ':status': '200',
        'content-type': grpcType,
        ...toTrailers(error.with({ metadata: {} }), dialect),
      },
      whole,
    )
  }
  leave(stream)
}

/**
 * What the client may still send has no one to read it. Told after the trailers have gone, which would be
 * dropped otherwise.
 */
function leave(stream: ServerHttp2Stream): void {
  if (stream.readableEnded) return
  setImmediate(() => {
    if (!stream.readableEnded && !stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR)
  })
}
