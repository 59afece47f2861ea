import { requireContract } from '../component/contract.ts'
import { unrefTimer } from '../component/timing.ts'
import type { Context } from '../context/context.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { Call, Middleware, Next } from '../middleware/middleware.ts'
import { whenDone } from '../middleware/when-done.ts'
import type { Peer } from '../transport/transport.ts'
import { accountKey } from './account.ts'
import type { Auth, Verified } from './auth.ts'
import { invalidToken } from './auth-rules.ts'
import { readBearer } from './read-bearer.ts'

export interface AuthenticateOptions {
  /** Verifies tokens. @default none are understood, and one that is shown is refused */
  readonly auth?: Auth | undefined
  /** Who a caller without a token is, by its certificate say. @default nobody */
  readonly peers?: ((peer: Peer) => Verified | undefined) | undefined
  /** Refuse calls of nobody. An invalid one is refused always. @default false */
  readonly required?: boolean
}

/**
 * Server middleware that makes `authorization: Bearer …` the account of the call, and without one what
 * the peer has shown. Streams end with `unauthenticated` when their token lapses.
 */
export function authenticate(options: AuthenticateOptions): Middleware {
  const { auth, peers, required = false } = options
  if (auth !== undefined) requireContract(auth, 'auth/0')
  return (call, next) => {
    if (call.side !== 'server') return next(call)
    // Asked first: a peer that has been denied gets nowhere with a token either.
    const peer = call.peer && peers?.(call.peer)
    const token = readBearer(call.metadata)
    if (token !== undefined) {
      if (auth === undefined) throw invalidToken()
      return proceed(call, next, auth.verify(token, call.context))
    }
    // What proved it was the connection, which has ended by itself if that lapsed.
    if (peer !== undefined) call.context.set(accountKey, peer.account)
    else if (required) throw tokenNeeded()
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
