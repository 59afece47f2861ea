import { MicroError } from '@micro/core/errors'
import { Metadata } from '@micro/core/metadata'

/** Key, 0, value, 0, for each value. Both are ASCII without control characters. */
export function encodeMetadata(metadata: Metadata | undefined): string {
  if (metadata === undefined || metadata.size === 0) return ''
  let block = ''
  for (const [key, value] of metadata) block += `${key}\0${value}\0`
  return block
}

/** @throws `invalid_argument` for a block that is none. */
export function decodeMetadata(bytes: Buffer, start: number, end: number): Metadata {
  const metadata = new Metadata()
  if (start === end) return metadata
  if (bytes[end - 1] !== 0) throw malformed()
  const parts = bytes.toString('latin1', start, end - 1).split('\0')
  if (parts.length % 2 !== 0) throw malformed()
  for (let at = 0; at < parts.length; at += 2) {
    metadata.append(parts[at] as string, parts[at + 1] as string)
  }
  return metadata
}

function malformed(): MicroError {
  return new MicroError('invalid_argument', 'malformed metadata')
}
