import type { Router } from '@micro/core/router'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'
import { nodeAt, service, untilAt } from './nodes.ts'
import { liveCase, place, type RouterSource } from './source.ts'

/** No nodes is an answer; the last known good is for a source that gives none. */
export function emptinessTrait(source: RouterSource): Trait<Router> {
  return {
    name: 'emptiness',
    cases: [
      {
        name: 'a service without nodes is ready, fresh and empty',
        run: async (harness) => {
          await place(source, harness, [nodeAt(1, { service: 'payments' })])
          const router = await harness.open()
          const view = router.view({ service })
          expect(await view.ready()).toEqual({ routes: [], stale: false })
          expect(view.current).toEqual({ routes: [], stale: false })
          expect(router.health().status).toBe('up')
        },
      },
      {
        name: 'a query that finds no node is ready, fresh and empty',
        run: async (harness) => {
          await place(source, harness, [nodeAt(1)])
          const view = (await harness.open()).view({ service, transports: ['pigeon'] })
          expect(await view.ready()).toEqual({ routes: [], stale: false })
        },
      },
      liveCase(source, 'the first node of a service is found when it comes', async (harness) => {
        await place(source, harness, [])
        const view = (await harness.open()).view({ service })
        const empty = await view.ready()
        const change = view.changed(empty)
        await place(source, harness, [nodeAt(1)])
        await change
        await untilAt(view, [1])
      }),
      liveCase(source, 'when the last node goes, its route goes too', async (harness) => {
        await place(source, harness, [nodeAt(1)])
        const router = await harness.open()
        const view = router.view({ service })
        await view.ready()
        await place(source, harness, [])
        expect(await untilAt(view, [])).toEqual({ routes: [], stale: false })
        expect(router.health().status).toBe('up')
      }),
    ],
  }
}
