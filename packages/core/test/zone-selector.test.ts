import type { Route, Snapshot } from '@micro/core/router'
import { type Picker, randomSelector, type Selector, zoneSelector } from '@micro/core/selector'
import { describe, expect, test } from 'vitest'

const routeOf = (id: string, zone?: string, weight = 1): Route => ({
  ejected: false,
  node: { schema: 1, id, service: 's', version: '1', weight, labels: {}, endpoints: [], zone },
})
const snapshotOf = (...routes: Route[]): Snapshot => ({ routes, stale: false })
const routesOf = (zone: string, count: number): Route[] =>
  Array.from({ length: count }, (_, at) => routeOf(`${zone}${at}`, zone))
const selector = zoneSelector({ zone: 'a', selector: randomSelector() })

/** Of 20,000 picks, the share that goes to zone "a". */
function shareOf(picker: Picker): number {
  let near = 0
  for (let at = 0; at < 20_000; at++) if (picker.pick({})?.node.zone === 'a') near += 1
  return near / 20_000
}

describe('without a key', () => {
  test('calls stay in the zone, evenly', () => {
    const picker = selector.prepare(snapshotOf(...routesOf('a', 2), ...routesOf('b', 8)))
    const counts = new Map<string | undefined, number>()
    for (let at = 0; at < 20_000; at++) {
      const id = picker.pick({})?.node.id
      counts.set(id, (counts.get(id) ?? 0) + 1)
    }
    expect([...counts.keys()].sort()).toEqual(['a0', 'a1'])
    expect(counts.get('a0')).toBeGreaterThan(9_000)
  })

  test.each([
    [0, 1],
    [1, 1],
    [2, (1.4 * 3) / 5],
    [3, (1.4 * 2) / 5],
    [4, 1.4 / 5],
    [5, 0],
  ])('with %i of five ejected, %f of them stay', (ejected, expected) => {
    const near = routesOf('a', 5)
    const picker = selector.prepare(snapshotOf(...near, ...routesOf('b', 5)))
    picker.pick({})
    for (const route of near.slice(0, ejected)) route.ejected = true
    // What has happened to the zone is seen within as many picks as it has nodes.
    for (let at = 0; at < 5; at++) picker.pick({})
    expect(Math.abs(shareOf(picker) - expected)).toBeLessThan(0.02)
    for (const route of near) route.ejected = false
    for (let at = 0; at < 6; at++) picker.pick({})
    expect(shareOf(picker)).toBe(1)
  })

  test('weights count for what is left of a zone', () => {
    const [light, heavy] = [routeOf('light', 'a', 1), routeOf('heavy', 'a', 3)]
    const picker = selector.prepare(snapshotOf(light, heavy, ...routesOf('b', 2)))
    light.ejected = true
    expect(shareOf(picker)).toBe(1)
    light.ejected = false
    heavy.ejected = true
    for (let at = 0; at < 3; at++) picker.pick({})
    expect(Math.abs(shareOf(picker) - 1.4 / 4)).toBeLessThan(0.02)
  })

  test('an ejected node is picked only if none is left anywhere', () => {
    const [near, far] = [routeOf('near', 'a'), routeOf('far', 'b')]
    const picker = selector.prepare(snapshotOf(near, far))
    picker.pick({})
    near.ejected = true
    expect(picker.pick({})).toBe(far)
    far.ejected = true
    expect(picker.pick({})).toBeDefined()
    expect(picker.pick({ exclude: new Set([far]) })).toBe(near)
    near.ejected = false
    expect(picker.pick({})).toBe(near)
  })

  test('a zone without nodes, and nodes without a zone, are no obstacle', () => {
    const bare = routeOf('bare')
    expect(selector.prepare(snapshotOf(bare)).pick({})).toBe(bare)
    const near = routeOf('near', 'a')
    expect(selector.prepare(snapshotOf(near)).pick({})).toBe(near)
    expect(selector.prepare(snapshotOf()).pick({})).toBeUndefined()
  })

  test('a retry leaves the zone when all of it has been tried', () => {
    const [near, far] = [routesOf('a', 2), routeOf('far', 'b')]
    const picker = selector.prepare(snapshotOf(...near, far))
    expect(picker.pick({ exclude: new Set(near) })).toBe(far)
  })
})

test('a key leads to the same node from every zone', () => {
  const snapshot = snapshotOf(...routesOf('a', 3), ...routesOf('b', 3))
  const pickers = ['a', 'b', 'nowhere'].map((zone) =>
    zoneSelector({ zone, selector: randomSelector() }).prepare(snapshot),
  )
  for (let at = 0; at < 100; at++) {
    const ids = pickers.map((picker) => picker.pick({ key: `user-${at}` })?.node.id)
    expect(new Set(ids).size).toBe(1)
  }
})

describe('a selector that learns', () => {
  /** Counts calls under way: `done` must balance `pick`, picker by picker. */
  function counting() {
    const underWay: number[] = []
    const learning: Selector = {
      ...randomSelector(),
      prepare(snapshot, previous) {
        const inner = randomSelector().prepare(snapshot)
        const known = previous as { readonly at: number } | undefined
        const at = known?.at ?? underWay.push(0) - 1
        const picker: Picker & { readonly at: number } = {
          at,
          pick(call) {
            const route = inner.pick(call)
            if (route !== undefined) underWay[at] = (underWay[at] ?? 0) + 1
            return route
          },
          done() {
            underWay[at] = (underWay[at] ?? 0) - 1
          },
        }
        return picker
      },
    }
    return { underWay, selector: zoneSelector({ zone: 'a', selector: learning }) }
  }

  test('hears of the end of each pick, once, and of the picks that were not used', () => {
    const { underWay, selector: zoned } = counting()
    const [near, far] = [routesOf('a', 3), routesOf('b', 3)]
    let picker = zoned.prepare(snapshotOf(...near, ...far))
    const picked: Route[] = []
    for (let at = 0; at < 600; at++) {
      for (const [index, route] of [...near, ...far].entries()) {
        route.ejected = (at >> index) % 2 === 1
      }
      if (at % 100 === 99) picker = zoned.prepare(snapshotOf(...near, ...far), picker)
      const route = picker.pick(at % 3 === 0 ? { key: `user-${at}` } : {})
      if (route !== undefined) picked.push(route)
    }
    expect(underWay.reduce((sum, count) => sum + count)).toBe(picked.length)
    expect(underWay.every((count) => count >= 0)).toBe(true)
    for (const route of picked) picker.done?.(route, { latency: 1, failed: false })
    expect(underWay).toEqual([0, 0, 0])
  })

  test('is not told where it does not want to be', () => {
    expect(selector.prepare(snapshotOf(routeOf('one', 'a'))).done).toBeUndefined()
  })
})

test.each([
  [{ zone: '' }, 'zone'],
  [{ zone: 'a', overprovisioning: 0.5 }, 'overprovisioning'],
  [{ zone: 'a', overprovisioning: Number.NaN }, 'overprovisioning'],
])('%j is refused by the name of the option', (options, name) => {
  expect(() => zoneSelector({ selector: randomSelector(), ...options })).toThrow(name)
})
