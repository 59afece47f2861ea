import type { Selector } from '@micro/core/selector'
import { expect } from 'vitest'
import type { Case, Trait } from '../kit/trait.ts'
import { countOf, routeOf, routesOf, snapshotOf, use } from './routes.ts'

/** With a key and without. */
const calls = [{}, { key: 'a key' }, { key: '' }] as const

export const choosing: Trait<Selector> = {
  name: 'choosing',
  cases: [
    {
      name: 'gives routes of the snapshot, the very objects, and each of them',
      run: async (harness) => {
        const selector = await harness.open()
        for (const count of [1, 2, 3, 10]) {
          const routes = routesOf(count)
          const picker = selector.prepare(snapshotOf(routes))
          for (const call of calls) expect(routes).toContain(use(picker, call))
          const counts = countOf(picker, 200 * count)
          expect([...counts.keys()].sort()).toEqual(routes.map(({ node }) => node.id))
        }
      },
    },
    {
      name: 'gives nothing where there is nothing',
      run: async (harness) => {
        const selector = await harness.open()
        const empty = selector.prepare(snapshotOf([]))
        const weightless = selector.prepare(snapshotOf([routeOf('a', 0), routeOf('b', 0)]))
        for (const call of calls) {
          expect(empty.pick(call)).toBeUndefined()
          expect(weightless.pick(call)).toBeUndefined()
        }
      },
    },
    {
      name: 'gives none that is excluded, and nothing when all are',
      run: async (harness) => {
        const selector = await harness.open()
        const routes = routesOf(10)
        const picker = selector.prepare(snapshotOf(routes))
        for (const call of calls) {
          const exclude = new Set<(typeof routes)[0]>()
          for (let round = 0; round < 10; round++) {
            const route = use(picker, { ...call, exclude })
            expect(route, `the ${round + 1}th`).toBeDefined()
            expect(exclude.has(route as (typeof routes)[0])).toBe(false)
            exclude.add(route as (typeof routes)[0])
          }
          expect(picker.pick({ ...call, exclude })).toBeUndefined()
        }
      },
    },
    {
      name: 'gives an ejected one only where no other is left, and again when it is back',
      run: async (harness) => {
        const selector = await harness.open()
        const routes = routesOf(5)
        const [first, ...others] = routes
        const picker = selector.prepare(snapshotOf(routes))
        for (const call of calls) {
          for (const route of others) route.ejected = true
          for (let at = 0; at < 200; at++) expect(use(picker, call)).toBe(first)
          const exclude = new Set([first as (typeof routes)[0]])
          expect(others).toContain(use(picker, { ...call, exclude }))
          for (const route of others) route.ejected = false
        }
        expect(countOf(picker, 1_000).size).toBe(5)
      },
    },
    {
      name: 'gives nothing to a weight of 0, not even where it is the last',
      run: async (harness) => {
        const selector = await harness.open()
        const [rest, other] = [routeOf('rest', 0), routeOf('other')]
        const picker = selector.prepare(snapshotOf([other, rest]))
        for (const call of calls) {
          expect([...countOf(picker, 200, call).keys()]).toEqual(['other'])
          expect(picker.pick({ ...call, exclude: new Set([other]) })).toBeUndefined()
        }
      },
    },
    {
      name: 'spreads evenly over equals',
      run: async (harness) => {
        const selector = await harness.open()
        const counts = countOf(selector.prepare(snapshotOf(routesOf(10))), 100_000)
        expect(counts.size).toBe(10)
        // Six standard deviations of a fair random choice are 5.7 % here.
        for (const count of counts.values()) expect(Math.abs(count / 10_000 - 1)).toBeLessThan(0.06)
      },
    },
    {
      name: 'spreads evenly over those left when one is ejected',
      run: async (harness) => {
        const selector = await harness.open()
        const routes = routesOf(5)
        const picker = selector.prepare(snapshotOf(routes))
        for (const route of routes.slice(0, 1)) route.ejected = true
        const counts = countOf(picker, 40_000)
        expect(counts.size).toBe(4)
        for (const count of counts.values()) expect(Math.abs(count / 10_000 - 1)).toBeLessThan(0.06)
      },
    },
    {
      name: 'gives shares by weight',
      supported: ({ supports }) => supports.weights,
      absent: async (harness) => {
        const selector = await harness.open()
        const picker = selector.prepare(snapshotOf([routeOf('a', 1), routeOf('b', 3)]))
        const share = (countOf(picker, 40_000).get('b') ?? 0) / 40_000
        expect(Math.abs(share / 0.5 - 1), 'weights make no difference').toBeLessThan(0.06)
      },
      run: async (harness) => {
        const selector = await harness.open()
        const routes = [routeOf('a', 1), routeOf('b', 3), routeOf('c', 0.5)]
        const counts = countOf(selector.prepare(snapshotOf(routes)), 45_000)
        for (const { node } of routes) {
          const fair = (45_000 * node.weight) / 4.5
          expect(Math.abs((counts.get(node.id) ?? 0) / fair - 1), node.id).toBeLessThan(0.1)
        }
      },
    },
    ...outcomes(),
  ],
}

function outcomes(): Case<Selector>[] {
  return [
    {
      name: 'is told of calls that fail, hang, end twice, or end on routes that have left',
      run: async (harness) => {
        const selector = await harness.open()
        const routes = routesOf(3)
        const picker = selector.prepare(snapshotOf(routes))
        const gone = routeOf('gone')
        for (let at = 0; at < 300; at++) {
          const route = picker.pick({})
          expect(routes).toContain(route)
          const told = at % 3 === 0 ? gone : (route as (typeof routes)[0])
          for (const latency of [0, 1e9, Number.NaN, -1]) {
            picker.done?.(told, { latency, failed: at % 2 === 0 })
          }
        }
        expect(countOf(picker, 3_000).size, 'none is lost for good').toBe(3)
      },
    },
    {
      name: 'goes on although no call that is under way ever ends',
      run: async (harness) => {
        const selector = await harness.open()
        const routes = routesOf(4)
        const picker = selector.prepare(snapshotOf(routes))
        const seen = new Set<unknown>()
        for (let at = 0; at < 10_000; at++) seen.add(picker.pick({}))
        expect(seen.size).toBe(4)
        expect(seen.has(undefined)).toBe(false)
      },
    },
  ]
}
