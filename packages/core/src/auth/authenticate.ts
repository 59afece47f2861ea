import { requireContract } from '../component/contract.ts'
import { unrefTimer } from '../component/timing.ts'
import type { Context } from '../context/context.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { Call, Middleware, Next } from '../middleware/middleware.ts'
import { whenDone } from '../middleware/when-done.ts'
import { accountKey } from './account.ts'
import type { Auth, Verified } from './auth.ts'
import { readBearer } from './read-bearer.ts'

export interface AuthenticateOptions {
  readonly auth: Auth
  /** Refuse calls without a token. An invalid one is refused always. @default false */
  readonly required?: boolean
}

/**
 * Server middleware that makes `authorization: Bearer …` the account of the call. Streams end with
 * `unauthenticated` when their token lapses.
 */
export function authenticate(options: AuthenticateOptions): Middleware {
  const { auth, required = false } = options
  requireContract(auth, 'auth/0')
  return (call, next) => {
    if (call.side !== 'server') return next(call)
    const token = readBearer(call.metadata)
    if (token !== undefined) return proceed(call, next, auth.verify(token, call.context))
    if (required) throw tokenNeeded()
    return next(call)
  }
}

export function tokenNeeded(): MicroError {
  return new MicroError('unauthenticated', 'give an access token: "authorization: Bearer <token>"')
}

async function proceed(call: Call, next: Next, verifying: Promise<Verified>): Promise<unknown> {
  const { account, expiresAt } = await verifying
  call.context.set(accountKey, account)
  if (call.kind === 'unary' || expiresAt === undefined) return next(call)
  const stop = cancelAt(call.context, expiresAt)
  try {
    return await whenDone(next(call), stop)
  } catch (error) {
    stop()
    throw error
  }
}

/** Returns what takes it back. */
function cancelAt(context: Context, at: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  const wait = (): void => {
    const left = at - Date.now()
    if (left > 0) {
      // Timers fire at once beyond 2^31 - 1 milliseconds.
      timer = unrefTimer(setTimeout(wait, Math.min(left, 2 ** 31 - 1)))
      return
    }
    context.cancel(new MicroError('unauthenticated', 'the token has expired'))
  }
  wait()
  return () => clearTimeout(timer)
}
