import type { TestModule } from 'vitest/node'

export interface Count {
  passed: number
  failed: number
  skipped: number
}

/** What must hold besides that no test failed. */
export interface Expected {
  /** The fewest tests that each package may run. */
  readonly least?: Readonly<Record<string, number>>
  /** Nothing may be skipped: every server is here. */
  readonly all?: boolean
}

/** Tests by package. A file or suite that broke outside its tests counts as one that failed. */
export function countTests(modules: readonly TestModule[]): Map<string, Count> {
  const counts = new Map<string, Count>()
  for (const module of modules) {
    const count = counts.get(module.project.name) ?? { passed: 0, failed: 0, skipped: 0 }
    counts.set(module.project.name, count)
    count.failed += module.errors().length
    for (const suite of module.children.allSuites()) count.failed += suite.errors().length
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      if (state !== 'pending') count[state] += 1
    }
  }
  return counts
}

export function findProblems(counts: ReadonlyMap<string, Count>, expected: Expected): string[] {
  const tooFew = Object.entries(expected.least ?? {}).flatMap(([name, least]) => {
    const { passed = 0, failed = 0 } = counts.get(name) ?? {}
    const run = passed + failed
    return run >= least ? [] : [`${name} ran ${run} tests; ${least} are committed`]
  })
  const skipping = [...counts].flatMap(([name, { skipped }]) =>
    expected.all === true && skipped > 0
      ? [`${name} skipped ${skipped} tests although servers are required`]
      : [],
  )
  return [...tooFew, ...skipping]
}
