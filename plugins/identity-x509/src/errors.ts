import { MicroError } from '@micro/core/errors'

/** The one answer to whoever cannot prove what it asks for: which part was wrong would help a thief. */
export function refused(): MicroError {
  return new MicroError('unauthenticated', 'the authority refuses this')
}

/** For a service that is given something it cannot trust. */
export function distrusted(what: string): MicroError {
  return new MicroError('unauthenticated', `not from the authority: ${what}`)
}

export function invalid(factory: string, name: string, why: string): MicroError {
  return new MicroError('invalid_argument', `${factory} option ${name}: ${why}`)
}
