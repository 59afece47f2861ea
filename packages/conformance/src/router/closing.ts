import { MicroError } from '@micro/core/errors'
import type { Router } from '@micro/core/router'
import { expect } from 'vitest'
import { expectCode, outcomeOf } from '../kit/lifecycle.ts'
import type { Trait } from '../kit/trait.ts'
import { nodeAt, service } from './nodes.ts'
import { place, type RouterSource } from './source.ts'

export function closingTrait(source: RouterSource): Trait<Router> {
  return {
    name: 'closing',
    cases: [
      {
        name: 'whoever waits for a change is told when the router is closed',
        run: async (harness) => {
          await place(source, harness, [nodeAt(1)])
          const router = await harness.open()
          const views = [router.view({ service }), router.view({ service, version: '7' })]
          const waits = await Promise.all(
            views.map(async (view) => ({ wait: outcomeOf(view.changed(await view.ready())) })),
          )
          await router.close()
          for (const { wait } of waits) {
            const error = await wait
            expect(MicroError.is(error, 'failed_precondition'), String(error)).toBe(true)
          }
        },
      },
      {
        name: 'a view of a closed router refuses to wait',
        run: async (harness) => {
          await place(source, harness, [nodeAt(1)])
          const router = await harness.open()
          const view = router.view({ service })
          const snapshot = await view.ready()
          await router.close()
          await expectCode(view.changed(snapshot), 'failed_precondition')
        },
      },
      {
        name: 'a view of a closed router that never was ready refuses to wait for it',
        run: async (harness) => {
          const router = await harness.open()
          const view = router.view({ service })
          await router.close()
          // Where there has been an answer since, it may be given.
          if (view.current === undefined) await expectCode(view.ready(), 'failed_precondition')
        },
      },
      {
        name: 'closing one router leaves another on the same scope at work',
        run: async (harness) => {
          await place(source, harness, [nodeAt(1)])
          const one = await harness.open()
          const two = await harness.open()
          await one.view({ service }).ready()
          await one.close()
          expect((await two.view({ service }).ready()).routes).toHaveLength(1)
        },
      },
      {
        name: 'a router can be closed before its views are ready',
        run: async (harness) => {
          const router = await harness.open()
          for (const name of ['orders', 'payments']) router.view({ service: name })
          await router.close()
          expect(router.health().status).toBe('down')
        },
      },
    ],
  }
}
