import type { Auth } from '@micro/core/auth'
import type { AbortOptions } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import { lifecycleTrait } from '../kit/lifecycle.ts'
import { runSuite } from '../kit/run-suite.ts'
import type { Trait } from '../kit/trait.ts'
import { forged } from './forgeries.ts'
import { issuing } from './issuing.ts'
import { type AuthGiven, type AuthSuiteOptions, issueIt } from './options.ts'
import { refreshing } from './refreshing.ts'
import { revoking } from './revoking.ts'
import { verifying } from './verifying.ts'

export type { AuthSuiteOptions, Obtain } from './options.ts'

/** What every `Auth` does, by trait. */
export function authTraits(options: Partial<AuthSuiteOptions> = {}): readonly Trait<Auth>[] {
  const given: AuthGiven = { obtain: options.obtain ?? issueIt, ttl: options.ttl ?? 300 }
  return [verifying(given), forged(given), issuing, refreshing(given), revoking(given), lifecycle]
}

/** Proves that an auth keeps the contract `auth/0`. Call it at the top of a test file. */
export function authConformance(options: AuthSuiteOptions): void {
  runSuite('auth', authTraits(options), options)
}

/** What a token that is none calls forth is as good as an answer here. */
async function tryAnything(auth: Auth, options: AbortOptions): Promise<void> {
  try {
    await auth.verify('x', options)
  } catch (error) {
    if (!MicroError.is(error, 'unauthenticated')) throw error
  }
}

const lifecycle: Trait<Auth> = lifecycleTrait([{ name: 'verify', call: tryAnything }])
