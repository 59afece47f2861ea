import { MicroError } from '@micro/core/errors'

/** A body that is no form, or none that is read. */
export function malformed(why: string, cause?: unknown): MicroError {
  const options = cause === undefined ? {} : { cause }
  return new MicroError('invalid_argument', `malformed form: ${why}`, options)
}

/** A message that is no form. */
export function cannot(name: string, what: string): MicroError {
  const place = name === '' ? 'the message' : short(name)
  return new MicroError('invalid_argument', `a form cannot hold ${place}: ${what}`)
}

/** A name, short enough for an error. */
export function short(name: string): string {
  return name.slice(0, 80).toWellFormed()
}
