import type { Identity } from '@micro/core/identity'
import { lifecycleTrait } from '../kit/lifecycle.ts'
import { runSuite } from '../kit/run-suite.ts'
import type { Trait } from '../kit/trait.ts'
import { certificates } from './certificates.ts'
import type { IdentitySuiteOptions } from './options.ts'
import { peers } from './peers.ts'
import { tokens } from './tokens.ts'

export type { IdentitySuiteOptions } from './options.ts'

/** What every `Identity` does, by trait. */
export function identityTraits(options: IdentitySuiteOptions): readonly Trait<Identity>[] {
  return [tokens(options), certificates, peers(options), lifecycle]
}

/** Proves that an identity keeps the contract `identity/0`. Call it at the top of a test file. */
export function identityConformance(options: IdentitySuiteOptions): void {
  runSuite('identity', identityTraits(options), options)
}

/** Without a token of its own, connecting is what it has to do. */
const lifecycle: Trait<Identity> = lifecycleTrait([
  {
    name: 'its use',
    call: async (identity, options) => identity.token?.(options) ?? identity.connect(options),
  },
])
