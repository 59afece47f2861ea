import type { Auth, Subject } from '../auth/auth.ts'
import { checkSubject } from '../auth/auth-rules.ts'
import type { Health } from '../component/component.ts'
import { requireContract } from '../component/contract.ts'
import { createLifecycle } from '../component/lifecycle.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { Identity } from './identity.ts'
import { createRenewal, type Lease } from './renewal.ts'
import type { TlsMaterial, TlsSource } from './tls.ts'

export interface MemoryIdentityOptions {
  /** Issues the tokens. It stays its owner's. */
  readonly auth: Auth
  /** Who this service is. */
  readonly subject: Subject
  /** Milliseconds that a token lives. @default the auth's own */
  readonly ttl?: number
  /** Gets TLS material, and new material in time: from files, from an authority. @default none */
  readonly tls?: (options: { readonly signal: AbortSignal }) => Promise<Lease<TlsMaterial>>
}

/** Tokens of an auth that can issue them, and TLS material of wherever you have it from. */
export function memoryIdentity(options: MemoryIdentityOptions): Identity {
  const { auth, subject, ttl } = options
  requireContract(auth, 'auth/0')
  checkSubject(subject)
  const { issue } = auth
  if (issue === undefined) {
    throw new MicroError('invalid_argument', `auth: "${auth.name}" issues no tokens; give another`)
  }
  const token = createRenewal({
    subject: 'token of identity "memory"',
    issue: async ({ signal }) => {
      const tokens = await issue.call(auth, subject, { ttl, refreshTtl: false, signal })
      return { value: tokens.accessToken, expiresAt: tokens.expiresAt }
    },
  })
  const material =
    options.tls &&
    createRenewal({ subject: 'TLS material of identity "memory"', issue: options.tls })
  const lifecycle = createLifecycle({
    label: 'identity "memory"',
    open: async () => {
      await Promise.all([token.get(), material?.get()])
    },
    close() {
      token.stop()
      material?.stop()
    },
  })
  const tls: TlsSource | undefined = material && {
    current() {
      const latest = lifecycle.closed ? undefined : material.latest()
      if (latest !== undefined) return latest
      throw new MicroError(
        'failed_precondition',
        lifecycle.closed ? 'identity "memory" is closed' : 'connect identity "memory" first',
      )
    },
    watch: () => material.watch(),
  }

  return {
    name: 'memory',
    contract: 'identity/0',
    supports: { token: true, tls: tls !== undefined, peers: false },
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health: () => worse(token.health(), material?.health()),
    async token(tokenOptions) {
      await lifecycle.connect(tokenOptions)
      return token.get(tokenOptions)
    },
    ...(tls === undefined ? {} : { tls }),
  }
}

function worse(one: Health, other: Health | undefined): Health {
  const order = ['up', 'degraded', 'down']
  if (other === undefined) return one
  return order.indexOf(one.status) >= order.indexOf(other.status) ? one : other
}
