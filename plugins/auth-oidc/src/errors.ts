import { MicroError } from '@micro/core/errors'
import { errors } from 'jose'

/** Why a token is not good: for the log. Whoever showed the token does not learn it. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  /** Other keys of the provider might verify it. */
  readonly newKeysMayHelp: boolean

  constructor(reason: string, options: { newKeysMayHelp?: boolean; cause?: unknown } = {}) {
    super(reason, options.cause === undefined ? undefined : { cause: options.cause })
    this.newKeysMayHelp = options.newKeysMayHelp ?? false
  }
}

/** What is wrong with a token, in words without anything of it. */
export function fromJose(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  if (error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired) {
    return new Refusal(`claim "${error.claim}": ${error.code}, ${error.reason}`)
  }
  if (error instanceof errors.JOSEError) {
    const newKeysMayHelp = error instanceof errors.JWSSignatureVerificationFailed
    return new Refusal(error.code, { newKeysMayHelp })
  }
  // A key that is too short, say.
  return new Refusal(error instanceof Error ? error.message : String(error), { cause: error })
}

/** What a function of the options says; one that throws takes no token. */
export function ask<T>(name: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    throw new Refusal(`${name}() threw`, { cause })
  }
}

/** What is told of a request that the provider did not answer. */
export function fromFetch(error: unknown, place: string): MicroError {
  if (MicroError.is(error)) return error
  // What fetch says itself is "fetch failed".
  const cause = (error as { cause?: unknown }).cause ?? error
  const { code, message } = cause as { code?: unknown; message?: string }
  const why = typeof code === 'string' ? code : (message ?? String(cause))
  return new MicroError('unavailable', `${place}: ${why}`, { cause: error })
}
