import type { Router } from '@micro/core/router'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'
import { nodeAt, service, untilAt, urlAt } from './nodes.ts'
import { liveCase, liveRecordCase, place, type RouterSource } from './source.ts'

/** Callers keep what they computed of a view, a snapshot or a route for as long as it is the same. */
export function identityTrait(source: RouterSource): Trait<Router> {
  return {
    name: 'identity',
    cases: [
      {
        name: 'equal queries share one view, others do not',
        run: async (harness) => {
          const router = await harness.open()
          const view = router.view({ service, version: '1', labels: { a: '1', b: '2' } })
          expect(router.view({ service, version: '1', labels: { b: '2', a: '1' } })).toBe(view)
          expect(router.view({ labels: { a: '1', b: '2' }, version: '1', service })).toBe(view)
          const others = [
            router.view({ service }),
            router.view({ service, version: '1' }),
            router.view({ service, version: '2', labels: { a: '1', b: '2' } }),
            router.view({ service, version: '1', labels: { a: '1', b: '3' } }),
            router.view({ service, version: '1', labels: { a: '1,b:2' } }),
            router.view({ service: 'payments', version: '1', labels: { a: '1', b: '2' } }),
            router.view({ service, version: '1', labels: { a: '1', b: '2' }, transports: ['x'] }),
            view,
          ]
          expect(new Set(others).size).toBe(others.length)
        },
      },
      {
        name: 'a view is the same before and after it is ready',
        run: async (harness) => {
          await place(source, harness, [nodeAt(1)])
          const router = await harness.open()
          const view = router.view({ service })
          await view.ready()
          expect(router.view({ service })).toBe(view)
        },
      },
      {
        name: 'while nothing changes, the snapshot is the same object',
        run: async (harness) => {
          await place(source, harness, [nodeAt(1), nodeAt(2)])
          const router = await harness.open()
          const view = router.view({ service })
          const snapshot = await view.ready()
          await router.view({ service, transports: ['http'] }).ready()
          await router.view({ service: 'payments' }).ready()
          await router.connect()
          expect(await view.ready()).toBe(snapshot)
          expect(view.current).toBe(snapshot)
          expect(router.view({ service }).current).toBe(snapshot)
        },
      },
      liveCase(source, 'a change of another service makes no new snapshot', async (harness) => {
        await place(source, harness, [nodeAt(1)])
        const router = await harness.open()
        const view = router.view({ service })
        const snapshot = await view.ready()
        const payments = router.view({ service: 'payments' })
        await payments.ready()
        await place(source, harness, [nodeAt(1), nodeAt(2, { service: 'payments' })])
        await untilAt(payments, [2])
        expect(view.current).toBe(snapshot)
      }),
      liveRecordCase(
        source,
        'a change of nodes that a query does not find makes it no new snapshot',
        async (harness) => {
          await place(source, harness, [nodeAt(1, { version: '1' })])
          const router = await harness.open()
          const first = router.view({ service, version: '1' })
          const every = router.view({ service })
          const snapshot = await first.ready()
          await place(source, harness, [nodeAt(1, { version: '1' }), nodeAt(2, { version: '2' })])
          await untilAt(every, [1, 2])
          expect(first.current).toBe(snapshot)
        },
      ),
      liveCase(
        source,
        'a node keeps its route object, and what is known of its health, while it lives',
        async (harness) => {
          await place(source, harness, [nodeAt(1), nodeAt(2)])
          const view = (await harness.open()).view({ service })
          const before = await view.ready()
          const kept = before.routes.find(({ node }) => node.endpoints[0]?.url === urlAt(2))
          expect(kept).toBeDefined()
          if (kept !== undefined) kept.ejected = true
          await place(source, harness, [nodeAt(2), nodeAt(3)])
          const after = await untilAt(view, [2, 3])
          expect(after.routes).toContain(kept)
          expect(after.routes.map((route) => route.ejected).sort()).toEqual([false, true])
        },
      ),
      liveCase(source, 'a node that comes back begins anew', async (harness) => {
        await place(source, harness, [nodeAt(1), nodeAt(2)])
        const view = (await harness.open()).view({ service })
        for (const route of (await view.ready()).routes) route.ejected = true
        await place(source, harness, [nodeAt(1)])
        await untilAt(view, [1])
        await place(source, harness, [nodeAt(1), nodeAt(2)])
        const { routes } = await untilAt(view, [1, 2])
        const back = routes.find(({ node }) => node.endpoints[0]?.url === urlAt(2))
        expect(back?.ejected).toBe(false)
      }),
    ],
  }
}
