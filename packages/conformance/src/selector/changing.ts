import type { Route } from '@micro/core/router'
import type { Picker, Selector } from '@micro/core/selector'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'
import { countOf, numbers, routeOf, routesOf, snapshotOf, use } from './routes.ts'

export const changing: Trait<Selector> = {
  name: 'changing',
  cases: [
    {
      name: 'a newcomer gets its share, and one that has left none',
      run: async (harness) => {
        const selector = await harness.open()
        const routes = routesOf(5)
        const first = selector.prepare(snapshotOf(routes.slice(0, 4)))
        countOf(first, 1_000)
        const second = selector.prepare(snapshotOf(routes.slice(1)), first)
        // What was learnt of the others may favour or spare a newcomer for a while.
        const counts = countOf(second, 20_000)
        expect(counts.has(routes[0]?.node.id ?? '')).toBe(false)
        expect(counts.get(routes[4]?.node.id ?? '') ?? 0).toBeGreaterThan(1_000)
      },
    },
    {
      name: 'the picker of before goes on with its own routes',
      run: async (harness) => {
        const selector = await harness.open()
        const routes = routesOf(6)
        const before = selector.prepare(snapshotOf(routes.slice(0, 3)))
        const after = selector.prepare(snapshotOf(routes.slice(3)), before)
        for (const key of [undefined, 'a', 'b']) {
          expect(routes.slice(0, 3)).toContain(use(before, { key }))
          expect(routes.slice(3)).toContain(use(after, { key }))
        }
      },
    },
    {
      name: 'a node that is announced anew is another route, and the new one is given',
      run: async (harness) => {
        const selector = await harness.open()
        const old = routeOf('a')
        const first = selector.prepare(snapshotOf([old]))
        for (const key of [undefined, 'a']) use(first, { key })
        const renewed = routeOf('a', 2)
        const second = selector.prepare(snapshotOf([renewed]), first)
        for (const key of [undefined, 'a']) expect(use(second, { key })).toBe(renewed)
      },
    },
    {
      name: 'a picker of another selector is no picker of before',
      run: async (harness) => {
        const selector = await harness.open()
        const routes = routesOf(3)
        const foreign: Picker = { pick: () => routeOf('foreign') }
        const picker = selector.prepare(snapshotOf(routes), foreign)
        for (const key of [undefined, 'a']) expect(routes).toContain(use(picker, { key }))
      },
    },
    {
      name: 'keeps to its snapshot through hundreds of changes',
      run: async (harness) => {
        const selector = await harness.open()
        const random = numbers(7)
        const all = Array.from({ length: 40 }, (_, at) => routeOf(`n${at}`, at % 4))
        let picker: Picker | undefined
        for (let round = 0; round < 300; round++) {
          const there = all.filter(() => random() < 0.6)
          for (const route of there) route.ejected = random() < 0.3
          picker = selector.prepare(snapshotOf(there), picker)
          const usable = there.filter(({ node }) => node.weight > 0)
          const whole = usable.filter(({ ejected }) => !ejected)
          const expected = new Set(whole.length > 0 ? whole : usable)
          for (const key of [undefined, 'a', `key ${round}`]) {
            const route = use(picker, { key })
            if (expected.size === 0) expect(route).toBeUndefined()
            else expect(expected.has(route as Route), `round ${round}`).toBe(true)
          }
        }
      },
    },
    {
      name: 'takes ten thousand routes',
      run: async (harness) => {
        const selector = await harness.open()
        const routes = routesOf(10_000)
        const first = selector.prepare(snapshotOf(routes))
        const there = new Set(routes)
        for (let at = 0; at < 200; at++) {
          expect(there.has(use(first, { key: `key ${at}` }) as Route)).toBe(true)
          expect(there.has(use(first) as Route)).toBe(true)
        }
        const second = selector.prepare(snapshotOf(routes.slice(1)), first)
        expect(use(second)).toBeDefined()
      },
    },
  ],
}
