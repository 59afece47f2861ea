import { Context, rootContext, runInContext } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import type { Router } from '@micro/core/router'
import { expect } from 'vitest'
import { outcomeOf } from '../kit/lifecycle.ts'
import type { Trait } from '../kit/trait.ts'
import { nodeAt, service, untilAt, urlAt, urlsOf } from './nodes.ts'
import { liveCase, place, type RouterSource } from './source.ts'

/** A view is shared by all callers, so it must not end with the one that happened to be first. */
export function independenceTrait(source: RouterSource): Trait<Router> {
  return {
    name: 'independence from callers',
    cases: [
      {
        name: 'a first wait that is given up ends nobody else’s',
        run: async (harness) => {
          await place(source, harness, [nodeAt(1)])
          const view = (await harness.open()).view({ service })
          const caller = new AbortController()
          const reason = new Error('mine')
          const first = outcomeOf(view.ready({ signal: caller.signal }))
          const second = view.ready()
          caller.abort(reason)
          expect(urlsOf(await second)).toEqual([urlAt(1)])
          // It may have been quicker than the abort.
          expect([undefined, reason]).toContain(await first)
          expect(urlsOf(await view.ready())).toEqual([urlAt(1)])
        },
      },
      {
        name: 'a view that was first asked for in a call becomes ready when that is cancelled',
        run: async (harness) => {
          await place(source, harness, [nodeAt(1)])
          const router = await harness.open()
          const call = new Context(rootContext)
          const view = runInContext(call, () => router.view({ service }))
          call.cancel(new MicroError('cancelled', 'the caller went away'))
          expect(urlsOf(await view.ready())).toEqual([urlAt(1)])
        },
      },
      liveCase(
        source,
        'a view begun in a call follows on when that is cancelled',
        async (harness) => {
          await place(source, harness, [nodeAt(1)])
          const router = await harness.open()
          const call = new Context(rootContext)
          const caller = new AbortController()
          const view = await runInContext(call, async () => {
            const begun = router.view({ service })
            await begun.ready({ signal: caller.signal })
            return begun
          })
          call.cancel(new MicroError('cancelled', 'the caller went away'))
          caller.abort()
          await place(source, harness, [nodeAt(1), nodeAt(2)])
          await untilAt(view, [1, 2])
        },
      ),
    ],
  }
}
