import type { Route } from '@micro/core/router'
import { randomSelector } from '@micro/core/selector'
import { consistentHashSelector } from '@micro/plugin-selector-consistent-hash'
import { expect, test } from 'vitest'

function routesOf(weights: readonly number[]): Route[] {
  return weights.map((weight, at) => ({
    ejected: false,
    node: {
      schema: 1,
      id: `n${at}`,
      service: 's',
      version: '1',
      weight,
      labels: {},
      endpoints: [],
    },
  }))
}

const ended = { latency: 1, failed: false }

test('agrees with random hashed selection while nodes are idle', () => {
  const routes = routesOf([1, 1, 1, 1, 1])
  const ours = consistentHashSelector().prepare({ routes, stale: false })
  const theirs = randomSelector().prepare({ routes, stale: false })
  for (let at = 0; at < 500; at++) {
    const route = ours.pick({ key: `key ${at}` }) as Route
    ours.done?.(route, ended)
    expect(route).toBe(theirs.pick({ key: `key ${at}` }))
  }
})

test('one hot key spreads over as many nodes as its load needs, and no node is above its bound', () => {
  const routes = routesOf(Array(10).fill(1))
  const picker = consistentHashSelector({ maxLoad: 1.25 }).prepare({ routes, stale: false })
  const counts = new Map<Route, number>()
  for (let total = 1; total <= 1_000; total++) {
    const route = picker.pick({ key: 'hot' }) as Route
    counts.set(route, (counts.get(route) ?? 0) + 1)
    expect(counts.get(route)).toBeLessThanOrEqual(Math.ceil((1.25 * total) / 10))
  }
  expect(counts.size).toBeGreaterThanOrEqual(8)
  for (const [route, count] of counts)
    for (let at = 0; at < count; at++) picker.done?.(route, ended)
  const home = picker.pick({ key: 'hot' })
  expect(home).toBe(randomSelector().prepare({ routes, stale: false }).pick({ key: 'hot' }))
})

test('bounds are by weight', () => {
  const routes = routesOf([1, 3])
  const picker = consistentHashSelector({ maxLoad: 1.1 }).prepare({ routes, stale: false })
  const counts = [0, 0]
  for (let at = 0; at < 400; at++) {
    const index = routes.indexOf(picker.pick({ key: 'hot' }) as Route)
    counts[index] = (counts[index] as number) + 1
  }
  expect(counts[0]).toBeLessThanOrEqual(111)
  expect(counts[1]).toBeLessThanOrEqual(331)
})

test('a busy node is better than an ejected one, and one that was tried is not given again', () => {
  const routes = routesOf([1, 1])
  const [a, b] = routes as [Route, Route]
  const picker = consistentHashSelector().prepare({ routes, stale: false })
  b.ejected = true
  for (let at = 0; at < 50; at++) expect(picker.pick({ key: `key ${at}` })).toBe(a)
  b.ejected = false
  expect(picker.pick({ key: 'x', exclude: new Set([b]) })).toBe(a)
})

test('calls under way count for the next picker, and those of a node that has left do not', () => {
  const selector = consistentHashSelector({ maxLoad: 1.01 })
  const routes = routesOf([1, 1, 1])
  const first = selector.prepare({ routes, stale: false })
  const held = Array.from({ length: 30 }, () => first.pick({ key: 'hot' }) as Route)
  const home = held[0] as Route
  const second = selector.prepare({ routes, stale: false }, first)
  // The home has its share already.
  const next = new Set(Array.from({ length: 3 }, () => second.pick({ key: 'hot' })))
  expect(next.size).toBeGreaterThan(1)
  for (const route of held) first.done?.(route, ended)
  const without = selector.prepare(
    { routes: routes.filter((route) => route !== home), stale: false },
    second,
  )
  for (let at = 0; at < 10; at++) {
    const route = without.pick({ key: 'hot' }) as Route
    expect(route).not.toBe(home)
    without.done?.(route, ended)
  }
})

test.each([
  [{ maxLoad: 1 }, 'maxLoad'],
  [{ maxLoad: Number.NaN }, 'maxLoad'],
  [{ replicas: 1 } as object, 'replicas'],
])('options %o are refused, by name', (options, name) => {
  expect(() => consistentHashSelector(options)).toThrow(
    new RegExp(`consistentHashSelector option ${name}`),
  )
})
