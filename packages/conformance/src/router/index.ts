import type { Router } from '@micro/core/router'
import type { SuiteOptions } from '../kit/harness.ts'
import { lifecycleTrait } from '../kit/lifecycle.ts'
import { runSuite } from '../kit/run-suite.ts'
import type { Trait } from '../kit/trait.ts'
import { changesTrait } from './changes.ts'
import { closingTrait } from './closing.ts'
import { emptinessTrait } from './emptiness.ts'
import { filtersTrait } from './filters.ts'
import { identityTrait } from './identity.ts'
import { independenceTrait } from './independence.ts'
import { service } from './nodes.ts'
import { outagesTrait } from './outages.ts'
import type { RouterSource } from './source.ts'
import { viewsTrait } from './views.ts'

export type { RouterSource } from './source.ts'

export interface RouterSuiteOptions extends SuiteOptions<Router>, RouterSource {}

const lifecycle: Trait<Router> = lifecycleTrait([
  {
    name: 'ready',
    // `view` throws where the others reject: it does no I/O.
    call: async (router, options) => router.view({ service }).ready(options),
  },
  {
    name: 'changed',
    call: async (router, options) => router.view({ service }).changed(undefined, options),
  },
])

/** What every `Router` does, by trait. The cases place nodes in `source`. */
export function routerTraits(source: RouterSource): readonly Trait<Router>[] {
  return [
    viewsTrait(source),
    changesTrait(source),
    filtersTrait(source),
    identityTrait(source),
    emptinessTrait(source),
    outagesTrait(source),
    independenceTrait(source),
    closingTrait(source),
    lifecycle,
  ]
}

/** Proves that a router keeps the contract `router/0`. Call it at the top of a test file. */
export function routerConformance(options: RouterSuiteOptions): void {
  runSuite('router', routerTraits(options), options)
}
