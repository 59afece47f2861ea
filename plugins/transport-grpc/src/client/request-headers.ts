import type { Context } from '@micro/core/context'
import type { CallHead } from '@micro/core/transport'
import { toGrpcType } from '../wire/content-type.ts'
import { encodings } from '../wire/gzip.ts'
import { addMetadata, type Headers } from '../wire/headers.ts'
import { formatTimeout } from '../wire/timeout.ts'

const grpcTypes = new Map<string, string>()

/** @throws `invalid_argument` for metadata that would not arrive. */
export function requestHeaders(
  head: CallHead,
  path: string,
  context: Context,
  gzip: boolean,
): Headers {
  let type = grpcTypes.get(head.contentType)
  if (type === undefined) {
    type = toGrpcType(head.contentType)
    grpcTypes.set(head.contentType, type)
  }
  const headers: Headers = {
    ':method': 'POST',
    ':path': path,
    'content-type': type,
    te: 'trailers',
    'user-agent': 'micro-ts',
    'grpc-accept-encoding': encodings,
    'grpc-timeout': formatTimeout(context.remaining()),
    'grpc-encoding': gzip ? 'gzip' : undefined,
  }
  addMetadata(headers, head.metadata)
  return headers
}
