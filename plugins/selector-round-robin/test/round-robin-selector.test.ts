import type { Route } from '@micro/core/router'
import type { Picker } from '@micro/core/selector'
import { roundRobinSelector } from '@micro/plugin-selector-round-robin'
import { expect, test } from 'vitest'

function routesOf(weights: Readonly<Record<string, number>>): Route[] {
  return Object.entries(weights).map(([id, weight]) => ({
    ejected: false,
    node: { schema: 1, id, service: 's', version: '1', weight, labels: {}, endpoints: [] },
  }))
}

const ordered = roundRobinSelector({ random: () => 0 })
const sequence = (picker: Picker, count: number): string =>
  Array.from({ length: count }, () => picker.pick({})?.node.id).join('')

test('takes equals in turn, to the call', () => {
  const routes = routesOf(Object.fromEntries(Array.from({ length: 10 }, (_, at) => [`n${at}`, 1])))
  const picker = roundRobinSelector().prepare({ routes, stale: false })
  const counts = new Map<string, number>()
  for (let at = 0; at < 100_000; at++) {
    const id = picker.pick({})?.node.id ?? ''
    counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  expect([...counts.values()]).toEqual(Array(10).fill(10_000))
})

test('puts the turns of heavy nodes between those of the others', () => {
  const picker = ordered.prepare({ routes: routesOf({ a: 5, b: 1, c: 1 }), stale: false })
  const first = sequence(picker, 7)
  expect([...first].sort().join('')).toBe('aaaaabc')
  const long = sequence(picker, 700)
  // Five in a row is what a naive one gives; and the light ones are apart.
  expect(long).not.toContain('aaaaa')
  expect(long).not.toMatch(/bc|cb/)
  const even = ordered.prepare({ routes: routesOf({ a: 2, b: 1 }), stale: false })
  sequence(even, 3)
  expect(['aab', 'aba', 'baa']).toContain(sequence(even, 3))
  const shares = sequence(ordered.prepare({ routes: routesOf({ a: 3, b: 1 }), stale: false }), 400)
  expect([...shares].filter((id) => id === 'a')).toHaveLength(300)
})

test('goes on where it was when nodes come and go', () => {
  const routes = routesOf({ a: 1, b: 1, c: 1 })
  const first = ordered.prepare({ routes, stale: false })
  expect(sequence(first, 4)).toBe('acba')
  const second = ordered.prepare({ routes: routes.slice(0, 2), stale: false }, first)
  expect(sequence(second, 3)).toBe('bab')
})

test('gives an ejected node no more than its turn when it is back', () => {
  const routes = routesOf({ a: 1, b: 1 })
  const picker = ordered.prepare({ routes, stale: false })
  const [a] = routes as [Route]
  a.ejected = true
  expect(sequence(picker, 10)).toBe('bbbbbbbbbb')
  a.ejected = false
  const after = sequence(picker, 10)
  expect([...after].filter((id) => id === 'a').length).toBeLessThanOrEqual(6)
})

test('clients that start together do not all begin with the same node', () => {
  const firsts = new Set(
    Array.from({ length: 100 }, () =>
      roundRobinSelector()
        .prepare({ routes: routesOf({ a: 1, b: 1, c: 1 }), stale: false })
        .pick({}),
    ).map((route) => route?.node.id),
  )
  expect(firsts.size).toBe(3)
})

test('options that are not known are refused', () => {
  expect(() => roundRobinSelector({ seed: 1 } as object)).toThrow(/roundRobinSelector option seed/)
  expect(() => roundRobinSelector({ random: 1 as never })).toThrow(/option random/)
})
