export { createHarness, type Harness, newScope, type SuiteOptions } from './harness.ts'
export { expectCode, lifecycleTrait, outcomeOf, type Use } from './lifecycle.ts'
export { runCase, runSuite } from './run-suite.ts'
export type { Case, Trait } from './trait.ts'
