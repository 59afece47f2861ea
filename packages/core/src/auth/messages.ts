import type { MessageMiddleware } from '../broker/messaging.ts'
import { requireContract } from '../component/contract.ts'
import { accountKey } from './account.ts'
import type { Auth } from './auth.ts'
import { tokenNeeded } from './authenticate.ts'
import type { BearerOptions } from './bearer.ts'
import { readBearer } from './read-bearer.ts'

export interface AuthenticateMessagesOptions {
  readonly auth: Auth
  /** Give up messages without a token. @default false */
  readonly required?: boolean
}

/**
 * As `authenticate`, for messages being handled: one whose token is not valid any more is given up.
 * Each message of a batch has an account of its own, so a batch handler sees none in its context.
 */
export function authenticateMessages(options: AuthenticateMessagesOptions): MessageMiddleware {
  const { auth, required = false } = options
  requireContract(auth, 'auth/0')
  return async (call, next) => {
    if (call.side === 'consume') {
      const token = readBearer(call.headers)
      if (token === undefined && required) throw tokenNeeded()
      if (token !== undefined) {
        const { account } = await auth.verify(token, call.context)
        call.context.set(accountKey, account)
      }
    }
    return next()
  }
}

/**
 * As `bearer`, for messages being published. The broker keeps the token with the message: give it a
 * life that covers the time until messages are handled, and no longer.
 */
export function bearerMessages(options: BearerOptions): MessageMiddleware {
  return async (call, next) => {
    if (call.side === 'publish' && !call.headers.has('authorization')) {
      const token = await options.token(call.context)
      if (token !== undefined) call.headers.set('authorization', `Bearer ${token}`)
    }
    return next()
  }
}
