import type { Router } from '@micro/core/router'
import { expect } from 'vitest'
import { newScope } from '../kit/harness.ts'
import { outcomeOf } from '../kit/lifecycle.ts'
import type { Trait } from '../kit/trait.ts'
import { idsOf, nodeAt, service, urlAt, urlsOf } from './nodes.ts'
import { place, type RouterSource, recordCase } from './source.ts'

/** What a view tells while nothing changes. */
export function viewsTrait(source: RouterSource): Trait<Router> {
  return {
    name: 'views',
    cases: [
      {
        name: 'ready gives a route to every node of the service and to no other',
        run: async (harness) => {
          const others = [nodeAt(3, { service: 'payments' }), nodeAt(4, { service: 'orders-eu' })]
          await place(source, harness, [nodeAt(1), nodeAt(2), ...others])
          const router = await harness.open()
          expect(urlsOf(await router.view({ service }).ready())).toEqual([urlAt(1), urlAt(2)])
          expect(urlsOf(await router.view({ service: 'payments' }).ready())).toEqual([urlAt(3)])
        },
      },
      {
        name: 'nodes of another scope are not seen',
        run: async (harness) => {
          await place(source, harness, [nodeAt(1)])
          const other = newScope()
          harness.defer(() => source.place(other, []))
          await source.place(other, [nodeAt(2)])
          const here = await harness.open()
          const there = await harness.open(other)
          expect(urlsOf(await here.view({ service }).ready())).toEqual([urlAt(1)])
          expect(urlsOf(await there.view({ service }).ready())).toEqual([urlAt(2)])
        },
      },
      {
        name: 'once ready, the current snapshot is there, fresh, with no route ejected',
        run: async (harness) => {
          await place(source, harness, [nodeAt(1), nodeAt(2)])
          const router = await harness.open()
          const view = router.view({ service })
          const snapshot = await view.ready()
          expect(view.current).toBe(snapshot)
          expect(snapshot.stale).toBe(false)
          expect(snapshot.routes.map((route) => route.ejected)).toEqual([false, false])
          expect(router.health().status).toBe('up')
        },
      },
      {
        name: 'routes are ordered by the ids of their nodes',
        run: async (harness) => {
          const numbers = [7, 10, 2, 1, 30, 9]
          await place(
            source,
            harness,
            numbers.map((number) => nodeAt(number)),
          )
          const ids = idsOf(await (await harness.open()).view({ service }).ready())
          expect(ids).toHaveLength(numbers.length)
          expect(ids).toEqual(ids.toSorted())
        },
      },
      recordCase(
        source,
        'a route holds the record of its node, field by field',
        async (harness) => {
          const node = nodeAt(1, {
            version: '2.0.0-rc.1',
            weight: 0,
            zone: 'eu-west-1a',
            labels: { tier: 'gold', größe: '注文' },
            methods: [{ name: 'get', kind: 'unary', idempotency: 'no_side_effects' }],
          })
          await place(source, harness, [node])
          const { routes } = await (await harness.open()).view({ service }).ready()
          expect(routes.map((route) => route.node)).toEqual([node])
        },
      ),
      {
        name: 'changed gives the current snapshot at once to whoever has not seen it',
        run: async (harness) => {
          await place(source, harness, [nodeAt(1)])
          const view = (await harness.open()).view({ service })
          const snapshot = await view.changed(undefined)
          expect(urlsOf(snapshot)).toEqual([urlAt(1)])
          expect(await view.changed({ routes: [], stale: false })).toBe(snapshot)
          expect(await view.changed(undefined)).toBe(snapshot)
        },
      },
      {
        name: 'without a change, changed waits until its own caller gives up',
        run: async (harness) => {
          await place(source, harness, [nodeAt(1)])
          const view = (await harness.open()).view({ service })
          const snapshot = await view.ready()
          const caller = new AbortController()
          const reason = new Error('mine')
          const change = outcomeOf(view.changed(snapshot, { signal: caller.signal }))
          // Whoever asks later is answered, so time for a change there was.
          await view.ready()
          await view.changed(undefined)
          caller.abort(reason)
          expect(await change).toBe(reason)
          expect(view.current).toBe(snapshot)
        },
      },
      {
        name: 'two routers on one scope lead to the same nodes',
        run: async (harness) => {
          await place(source, harness, [nodeAt(1), nodeAt(2)])
          const views = [await harness.open(), await harness.open()].map((router) =>
            router.view({ service }),
          )
          for (const view of views) {
            expect(urlsOf(await view.ready())).toEqual([urlAt(1), urlAt(2)])
          }
        },
      },
    ],
  }
}
