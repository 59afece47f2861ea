import type { Picker, Selector } from '@micro/core/selector'
import { expect } from 'vitest'
import type { Case, Trait } from '../kit/trait.ts'
import { countOf, numbers, placesOf, routeOf, routesOf, snapshotOf, use } from './routes.ts'

const count = 5_000

const supported = (selector: Selector): boolean => selector.supports.keys

const kept: readonly Case<Selector>[] = [
  {
    name: 'the same key gives the same node, from every client',
    absent: async (harness) => {
      const picker = (await harness.open()).prepare(snapshotOf(routesOf(10)))
      expect(countOf(picker, 1_000, { key: 'a' }).size, 'keys are ignored').toBeGreaterThan(1)
    },
    run: async (harness) => {
      const [one, other] = [await harness.open(), await harness.open()]
      const first = one.prepare(snapshotOf(routesOf(10)))
      const places = placesOf(first, count)
      expect(placesOf(first, count)).toEqual(places)
      expect(placesOf(other.prepare(snapshotOf(routesOf(10))), count)).toEqual(places)
      const weighted = () =>
        snapshotOf(routesOf(10).map(({ node }, at) => routeOf(node.id, at + 1)))
      expect(placesOf(one.prepare(weighted()), count)).toEqual(
        placesOf(other.prepare(weighted()), count),
      )
    },
  },
  {
    name: 'keys spread evenly',
    run: async (harness) => {
      const picker = (await harness.open()).prepare(snapshotOf(routesOf(10)))
      const counts = new Map<string, number>()
      for (const id of placesOf(picker, 20_000))
        counts.set(id ?? '', (counts.get(id ?? '') ?? 0) + 1)
      expect(counts.size).toBe(10)
      for (const keys of counts.values()) expect(Math.abs(keys / 2_000 - 1)).toBeLessThan(0.25)
    },
  },
  {
    name: 'of n nodes, one more moves at most 2/(n+1) of the keys, all of them to itself',
    run: async (harness) => {
      const selector = await harness.open()
      for (const nodes of [2, 10, 50]) {
        const routes = routesOf(nodes + 1)
        const before = selector.prepare(snapshotOf(routes.slice(0, nodes)))
        const places = placesOf(before, count)
        for (const previous of [undefined, before]) {
          const after = selector.prepare(snapshotOf(routes), previous)
          const moved = placesOf(after, count).filter((id, at) => id !== places[at])
          expect(moved.length).toBeGreaterThan(0)
          expect(moved.length / count, `${nodes} nodes`).toBeLessThanOrEqual(2 / (nodes + 1))
          expect([...new Set(moved)]).toEqual([routes[nodes]?.node.id])
        }
      }
    },
  },
  {
    name: 'depend on the set of nodes alone, not on their order or on what was before',
    run: async (harness) => {
      const [selector, other] = [await harness.open(), await harness.open()]
      const random = numbers(11)
      let picker: Picker | undefined
      for (let round = 0; round < 40; round++) {
        const equal = random() < 0.7
        const there = routesOf(12)
          .map(({ node }, at) => routeOf(node.id, equal ? 1 : at % 4))
          .filter(() => random() < 0.6)
        picker = selector.prepare(snapshotOf(there), picker)
        const places = placesOf(picker, 500)
        for (const routes of [there, there.toReversed()]) {
          const fresh = other.prepare(snapshotOf(routes))
          expect(placesOf(fresh, 500), `round ${round}`).toEqual(places)
        }
      }
    },
  },
  {
    name: 'one less moves its own keys only, and when it is back, back again',
    run: async (harness) => {
      const selector = await harness.open()
      const routes = routesOf(10)
      const before = selector.prepare(snapshotOf(routes))
      const places = placesOf(before, count)
      const without = selector.prepare(snapshotOf(routes.slice(1)), before)
      for (const [at, id] of placesOf(without, count).entries()) {
        if (places[at] !== routes[0]?.node.id) expect(id).toBe(places[at])
      }
      const again = selector.prepare(snapshotOf(routes), without)
      expect(placesOf(again, count)).toEqual(places)
    },
  },
  {
    name: 'a key whose node is excluded or ejected has the same second choice everywhere',
    run: async (harness) => {
      const routes = routesOf(10)
      const pickers = [await harness.open(), await harness.open()].map((selector) =>
        selector.prepare(snapshotOf(routes)),
      )
      for (let at = 0; at < 500; at++) {
        const key = `key-${at}`
        const [one, other] = pickers.map((picker) => {
          const first = use(picker, { key })
          return use(picker, { key, exclude: new Set(first === undefined ? [] : [first]) })
        })
        expect(one).toBe(other)
      }
      const [picker, second] = pickers
      const ejected = routes[3] as (typeof routes)[0]
      ejected.ejected = true
      const during = picker && placesOf(picker, 500)
      expect(second && placesOf(second, 500)).toEqual(during)
      expect(during).not.toContain(ejected.node.id)
    },
  },
  {
    name: 'does not depend on what was picked before',
    run: async (harness) => {
      const selector = await harness.open()
      const fresh = selector.prepare(snapshotOf(routesOf(10)))
      const used = selector.prepare(snapshotOf(routesOf(10)))
      countOf(used, 1_000)
      for (let at = 100; at >= 0; at--) use(used, { key: `key-${at}` })
      expect(placesOf(used, 200)).toEqual(placesOf(fresh, 200))
    },
  },
  {
    name: 'takes any text for a key',
    run: async (harness) => {
      const selector = await harness.open()
      const routes = routesOf(10)
      const [one, other] = [
        selector.prepare(snapshotOf(routes)),
        selector.prepare(snapshotOf(routes)),
      ]
      for (const key of ['', ' ', '世界🙂', '\ud800', '\0', 'x'.repeat(100_000), '__proto__']) {
        expect(routes).toContain(use(one, { key }))
        expect(use(one, { key })).toBe(use(other, { key }))
      }
    },
  },
]

export const keys: Trait<Selector> = {
  name: 'keys',
  cases: kept.map((one) => ({ ...one, supported })),
}
