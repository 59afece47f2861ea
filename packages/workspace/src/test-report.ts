import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Reporter, TestModule } from 'vitest/node'

const countsFile = join(import.meta.dirname, '../test-counts.json')

interface Count {
  passed: number
  failed: number
  skipped: number
}

/**
 * Prints the tests of each package. In CI a package that runs fewer than are committed fails, as
 * does a skipped test where servers are required. `UPDATE_TEST_COUNTS=1` commits what has run.
 */
class TestReport implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = new Map<string, Count>()
    for (const module of modules) {
      const count = counts.get(module.project.name) ?? { passed: 0, failed: 0, skipped: 0 }
      counts.set(module.project.name, count)
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state !== 'pending') count[state] += 1
      }
    }
    const names = [...counts.keys()].sort()
    console.log('\nTests per package')
    for (const name of names) {
      const { passed, failed, skipped } = counts.get(name) as Count
      console.log(
        `  ${name.padEnd(34)} ${passed + failed} run, ${failed} failed, ${skipped} skipped`,
      )
    }
    if (process.env['UPDATE_TEST_COUNTS'] === '1') {
      const committed = Object.fromEntries(
        names.map((name) => [name, (counts.get(name) as Count).passed]),
      )
      writeFileSync(countsFile, `${JSON.stringify(committed, null, 2)}\n`)
    } else if (process.env['CI'] === 'true') {
      for (const problem of findProblems(counts)) {
        console.log(`✗ ${problem}`)
        process.exitCode = 1
      }
    }
    const all = [...counts.values()]
    const sum = (key: keyof Count): number => all.reduce((total, count) => total + count[key], 0)
    console.log(`\n${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`)
  }
}

function findProblems(counts: ReadonlyMap<string, Count>): string[] {
  const committed = JSON.parse(readFileSync(countsFile, 'utf8')) as Record<string, number>
  const problems = Object.entries(committed).flatMap(([name, least]) => {
    const { passed = 0, failed = 0 } = counts.get(name) ?? {}
    return passed + failed >= least
      ? []
      : [`${name} ran ${passed + failed} tests; ${least} are committed`]
  })
  if (process.env['MICRO_REQUIRE_SERVERS'] !== '1') return problems
  for (const [name, { skipped }] of counts) {
    if (skipped > 0) problems.push(`${name} skipped ${skipped} tests although servers are required`)
  }
  return problems
}

// Vitest takes the default export of a reporter's file.
export { TestReport as default }
