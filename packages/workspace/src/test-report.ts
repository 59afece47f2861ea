import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Reporter, TestModule, TestRunEndReason } from 'vitest/node'
import { type Count, countTests, findProblems } from './test-counts.ts'

const countsFile = join(import.meta.dirname, '../test-counts.json')

/**
 * Prints the tests of each package. In CI a package that runs fewer than are committed fails, as
 * does a skipped test where servers are required. `UPDATE_TEST_COUNTS=1` commits what has run.
 */
class TestReport implements Reporter {
  onTestRunEnd(
    modules: readonly TestModule[],
    unhandledErrors: readonly unknown[],
    reason: TestRunEndReason,
  ): void {
    const counts = countTests(modules)
    const names = [...counts.keys()].sort()
    console.log('\nTests per package')
    for (const name of names) {
      const { passed, failed, skipped } = counts.get(name) as Count
      console.log(
        `  ${name.padEnd(34)} ${passed + failed} run, ${failed} failed, ${skipped} skipped`,
      )
    }
    if (process.env['UPDATE_TEST_COUNTS'] !== '1') {
      const committed = JSON.parse(readFileSync(countsFile, 'utf8')) as Record<string, number>
      report(
        findProblems(counts, {
          ...(process.env['CI'] === 'true' ? { least: committed } : {}),
          all: process.env['MICRO_REQUIRE_SERVERS'] === '1',
        }),
      )
    } else if (reason === 'passed') {
      const passed = names.map((name) => [name, (counts.get(name) as Count).passed])
      writeFileSync(countsFile, `${JSON.stringify(Object.fromEntries(passed), null, 2)}\n`)
    } else {
      report(['the counts stay as they were: not every test passed'])
    }
    const all = [...counts.values()]
    const sum = (key: keyof Count): number => all.reduce((total, count) => total + count[key], 0)
    const failed = sum('failed') + unhandledErrors.length
    console.log(`\n${sum('passed')} passed, ${failed} failed, ${sum('skipped')} skipped`)
  }
}

function report(problems: readonly string[]): void {
  for (const problem of problems) {
    console.log(`✗ ${problem}`)
    process.exitCode = 1
  }
}

// Vitest takes the default export of a reporter's file.
export { TestReport as default }
