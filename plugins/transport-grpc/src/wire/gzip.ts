import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { MicroError } from '@micro/core/errors'
import { tooLarge } from '../errors.ts'
import type { Envelope } from './frame-parser.ts'

const gunzipAsync = promisify(gunzip)
const gzipAsync: (data: Uint8Array) => Promise<Buffer> = promisify(gzip)

/** What each side says that it reads. */
export const encodings = 'identity,gzip'

export function compress(data: Uint8Array): Promise<Buffer> {
  return gzipAsync(data)
}

/**
 * Expands a compressed message up to the limit.
 *
 * @throws `resource_exhausted` above it, `unimplemented` for an encoding that is not known,
 * `invalid_argument` for garbage.
 */
export async function decompress(
  { data }: Envelope,
  encoding: string | undefined,
  limit: number,
  what: 'request' | 'response',
): Promise<Buffer> {
  if (encoding !== 'gzip') {
    throw encoding === undefined || encoding === 'identity'
      ? new MicroError('internal', `a compressed ${what}, but no grpc-encoding header`)
      : new MicroError(
          'unimplemented',
          `grpc-encoding "${encoding.slice(0, 40)}" is not known; use gzip or identity`,
        )
  }
  try {
    return await gunzipAsync(data, { maxOutputLength: limit })
  } catch (cause) {
    if ((cause as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(what, limit)
    throw new MicroError('invalid_argument', `the ${what} is not valid gzip`, { cause })
  }
}
