import { MicroError } from '@micro/core/errors'

/** Bytes that are no message, or none that is read. */
export function malformed(why: string, cause?: unknown): MicroError {
  const options = cause === undefined ? {} : { cause }
  return new MicroError('invalid_argument', `malformed MessagePack: ${why}`, options)
}

/** What the library throws where the checks before it found nothing. */
export function unreadable(cause: unknown): MicroError {
  return malformed(cause instanceof Error ? cause.message.slice(0, 200) : String(cause), cause)
}
