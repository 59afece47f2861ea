import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { MicroError } from '@micro/core/errors'
import { tooLarge } from './errors.ts'

const gunzipAsync = promisify(gunzip)
const gzipAsync = promisify(gzip)

/** Expands gzip up to the limit. @throws `resource_exhausted` above it, `invalid_argument` for garbage. */
export async function decompress(data: Uint8Array, limit: number, side: string): Promise<Buffer> {
  try {
    return await gunzipAsync(data, { maxOutputLength: limit })
  } catch (cause) {
    if ((cause as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(limit, side)
    throw new MicroError('invalid_argument', `the ${side} is not valid gzip`, { cause })
  }
}

export function compress(data: Uint8Array): Promise<Buffer> {
  return gzipAsync(data)
}

/** @throws `unimplemented` for an encoding other than gzip, naming those that are known. */
export function requireEncoding(encoding: string | undefined, header: string): boolean {
  if (encoding === undefined || encoding === '' || encoding === 'identity') return false
  if (encoding === 'gzip') return true
  throw new MicroError(
    'unimplemented',
    `${header} "${encoding.slice(0, 40)}" is not known; use gzip or identity`,
    {
      processed: 'no',
    },
  )
}
