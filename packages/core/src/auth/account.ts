import type { Context } from '../context/context.ts'
import { type ContextKey, createContextKey } from '../context/key.ts'
import type { Account } from './auth.ts'

/** Set by `authenticate` alone; nothing that arrives with a call can. */
export const accountKey: ContextKey<Account> = createContextKey('account')

/** Who called, if a valid token said so. */
export function accountOf(context: Pick<Context, 'get'>): Account | undefined {
  return context.get(accountKey)
}
