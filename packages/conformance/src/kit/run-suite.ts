import type { Component } from '@micro/core/component'
import { describe, test } from 'vitest'
import { createHarness, type SuiteOptions } from './harness.ts'
import type { Case, Trait } from './trait.ts'

/** Registers the traits with Vitest: one `describe` for the suite, one for each trait. */
export function runSuite<C extends Component>(
  contract: string,
  traits: readonly Trait<C>[],
  options: SuiteOptions<C>,
): void {
  describe(`${contract} "${options.name}" conforms`, () => {
    for (const trait of traits) {
      describe(trait.name, () => {
        for (const one of trait.cases) test(one.name, () => runCase(one, options))
      })
    }
  })
}

/** Runs one case, or its opposite where the component does not claim the ability. */
export async function runCase<C extends Component>(
  one: Case<C>,
  options: SuiteOptions<C>,
): Promise<void> {
  const harness = createHarness(options)
  try {
    const claimed = one.supported === undefined || one.supported(await harness.open())
    if (claimed) await one.run(harness)
    else await one.absent?.(harness)
  } finally {
    await harness.end()
  }
}
