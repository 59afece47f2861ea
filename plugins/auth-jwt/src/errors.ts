import { invalidToken } from '@micro/core/auth'
import { MicroError } from '@micro/core/errors'

/** Whatever is wrong with a token is told in the one way; what is not the token's fault as it is. */
export function fromJose(error: unknown): MicroError {
  return MicroError.is(error) ? error : invalidToken()
}
