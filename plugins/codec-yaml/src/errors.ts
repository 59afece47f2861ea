import { MicroError } from '@micro/core/errors'

/** A body that is no message, or none that is read. */
export function malformed(why: string, cause?: unknown): MicroError {
  const options = cause === undefined ? {} : { cause }
  return new MicroError('invalid_argument', `malformed YAML: ${why}`, options)
}

/** The same, with the line of a place in the text. */
export function malformedAt(text: string, offset: number, why: string): MicroError {
  let line = 1
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1))
    line++
  return malformed(`${why.slice(0, 200).toWellFormed()}, at line ${line}`)
}

/** What decoding and the library throw where the checks before found nothing. */
export function unreadable(cause: unknown): MicroError {
  if (MicroError.is(cause)) return cause
  return malformed(cause instanceof Error ? cause.message.slice(0, 200) : String(cause), cause)
}
