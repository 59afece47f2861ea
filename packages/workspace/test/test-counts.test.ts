import { expect, test } from 'vitest'
import type { TestModule } from 'vitest/node'
import { countTests, findProblems } from '../src/test-counts.ts'

function module(states: readonly string[], broken = 0, brokenSuites = 0): TestModule {
  const errors = (count: number) => () => Array.from({ length: count }, () => new Error('broken'))
  return {
    project: { name: 'a' },
    errors: errors(broken),
    children: {
      allSuites: () => [{ errors: errors(brokenSuites) }],
      allTests: () => states.map((state) => ({ result: () => ({ state }) })),
    },
  } as unknown as TestModule
}

test('tests of all files of a package are added up, those never run are left out', () => {
  const counts = countTests([
    module(['passed', 'failed', 'pending']),
    module(['passed', 'skipped']),
  ])
  expect([...counts]).toEqual([['a', { passed: 2, failed: 1, skipped: 1 }]])
})

test('a file or a suite that breaks outside its tests is a failure', () => {
  expect(countTests([module([], 1, 0)]).get('a')?.failed).toBe(1)
  expect(countTests([module(['passed'], 0, 1)]).get('a')?.failed).toBe(1)
})

const counts = new Map([['a', { passed: 2, failed: 0, skipped: 1 }]])

test('a package may not run fewer tests than are committed, nor vanish', () => {
  expect(findProblems(counts, { least: { a: 2 } })).toEqual([])
  expect(findProblems(counts, { least: { a: 3 } })).toEqual(['a ran 2 tests; 3 are committed'])
  expect(findProblems(counts, { least: { b: 1 } })).toEqual(['b ran 0 tests; 1 are committed'])
})

test('nothing may be skipped where servers are required', () => {
  expect(findProblems(counts, { all: false })).toEqual([])
  expect(findProblems(counts, { all: true })).toEqual([
    'a skipped 1 tests although servers are required',
  ])
})
