import type { Selector } from '@micro/core/selector'
import type { SuiteOptions } from '../kit/harness.ts'
import { plainLifecycleTrait } from '../kit/plain-lifecycle.ts'
import { runSuite } from '../kit/run-suite.ts'
import type { Trait } from '../kit/trait.ts'
import { changing } from './changing.ts'
import { choosing } from './choosing.ts'
import { keys } from './keys.ts'
import { routesOf, snapshotOf } from './routes.ts'

export type SelectorSuiteOptions = SuiteOptions<Selector>

/** What every `Selector` does, by trait. */
export const selectorTraits: readonly Trait<Selector>[] = [
  choosing,
  changing,
  keys,
  plainLifecycleTrait((selector) => selector.prepare(snapshotOf(routesOf(2))).pick({})),
]

/** Proves that a selector keeps the contract `selector/0`. Call it at the top of a test file. */
export function selectorConformance(options: SelectorSuiteOptions): void {
  runSuite('selector', selectorTraits, options)
}
