import { MicroError } from '@micro/core/errors'

/** What protobuf throws for a value or for bytes that are not the message. */
export function malformed(subject: string, cause: unknown): MicroError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new MicroError('invalid_argument', `malformed ${subject}: ${why}`, { cause })
}
