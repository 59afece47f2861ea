import type { Route } from '@micro/core/router'
import type { Picker, Selector } from '@micro/core/selector'
import { randomSelector } from '@micro/core/selector'
import { p2cSelector } from '@micro/plugin-selector-p2c'
import { describe, expect, test, vi } from 'vitest'
import { numbers, routesOf, simulate } from './support/queues.ts'

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.floor(sorted.length * share)] as number

/** Runs the same arrivals against one selector; milliseconds that calls took, sorted. */
function latencies(make: (now: () => number, random: () => number) => Selector): number[] {
  return simulate({
    seed: 42,
    nodes: 10,
    calls: 50_000,
    // Two thirds of what nine sound nodes can do.
    interarrival: 0.17,
    serviceTime: (node, random) => -Math.log(1 - random) * (node === 0 ? 20 : 1),
    make,
  }).sort((a, b) => a - b)
}

test('with one node of ten 20 times slower, the 99th percentile is at most half of random’s', () => {
  const random = vi.spyOn(Math, 'random').mockImplementation(numbers(7))
  const ofRandom = latencies(() => randomSelector())
  random.mockRestore()
  const ofP2c = latencies((now, draw) => p2cSelector({ now, random: draw }))
  expect(percentile(ofP2c, 0.99)).toBeLessThan(percentile(ofRandom, 0.99) / 2)
  expect(percentile(ofP2c, 0.5)).toBeLessThanOrEqual(percentile(ofRandom, 0.5))
})

describe('in virtual time', () => {
  let time = 0
  const make = (options = {}) => p2cSelector({ now: () => time, random: numbers(3), ...options })
  const share = (picker: Picker, id: string, calls = 2_000): number => {
    let count = 0
    for (let at = 0; at < calls; at++) {
      const route = picker.pick({}) as Route
      if (route.node.id === id) count += 1
      picker.done?.(route, { latency: 1, failed: false })
    }
    return count / calls
  }
  /** Picks that one, whatever its load. */
  const take = (picker: Picker, routes: readonly Route[], id: string): Route =>
    picker.pick({ exclude: new Set(routes.filter(({ node }) => node.id !== id)) }) as Route

  test('a node with calls in flight gets fewer', () => {
    const routes = routesOf(4)
    const picker = make().prepare({ routes, stale: false })
    share(picker, 'n0', 100)
    const held = Array.from({ length: 5 }, () => take(picker, routes, 'n0'))
    expect(share(picker, 'n0')).toBeLessThan(0.05)
    for (const route of held) picker.done?.(route, { latency: 1, failed: false })
    expect(share(picker, 'n0')).toBeGreaterThan(0.15)
  })

  test('one slow call is noticed at once, and forgotten in time', () => {
    const routes = routesOf(4)
    const picker = make({ decay: 1_000 }).prepare({ routes, stale: false })
    share(picker, 'n0', 100)
    picker.done?.(take(picker, routes, 'n0'), { latency: 500, failed: false })
    expect(share(picker, 'n0')).toBeLessThan(0.05)
    time += 20_000
    expect(share(picker, 'n0')).toBeGreaterThan(0.1)
  })

  test('a node that fails at once does not look fast', () => {
    const routes = routesOf(4)
    const picker = make().prepare({ routes, stale: false })
    share(picker, 'n0', 100)
    picker.done?.(take(picker, routes, 'n0'), { latency: 0.1, failed: true })
    expect(share(picker, 'n0')).toBeLessThan(0.05)
  })

  test('a newcomer starts slowly, those that were there first do not', () => {
    const selector = make({ slowStart: 10_000 })
    const routes = routesOf(4)
    const first = selector.prepare({ routes: routes.slice(0, 3), stale: false })
    expect(share(first, 'n0')).toBeGreaterThan(0.25)
    const second = selector.prepare({ routes, stale: false }, first)
    expect(share(second, 'n3')).toBeLessThan(0.17)
    time += 10_000
    expect(share(second, 'n3')).toBeGreaterThan(0.2)
  })

  test('what was learnt outlives changes, and calls end where they began', () => {
    const selector = make()
    const routes = routesOf(4)
    const first = selector.prepare({ routes, stale: false })
    share(first, 'n0', 100)
    const held = Array.from({ length: 5 }, () => take(first, routes, 'n0'))
    const second = selector.prepare({ routes, stale: false }, first)
    expect(share(second, 'n0')).toBeLessThan(0.05)
    for (const route of held) first.done?.(route, { latency: 1, failed: false })
    expect(share(second, 'n0')).toBeGreaterThan(0.15)
  })
})

test.each([
  [{ decay: 0 }, 'decay'],
  [{ slowStart: -1 }, 'slowStart'],
  [{ failureCost: Number.NaN }, 'failureCost'],
  [{ now: 1 } as object, 'now'],
  [{ seed: 1 } as object, 'seed'],
])('options %o are refused, by name', (options, name) => {
  expect(() => p2cSelector(options)).toThrow(new RegExp(`p2cSelector option ${name}`))
})
