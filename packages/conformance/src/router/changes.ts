import type { Router } from '@micro/core/router'
import { expect } from 'vitest'
import { outcomeOf } from '../kit/lifecycle.ts'
import type { Trait } from '../kit/trait.ts'
import { nodeAt, service, until, untilAt, urlAt, urlsOf } from './nodes.ts'
import { liveCase, liveRecordCase, place, type RouterSource } from './source.ts'

/** How a view follows its source. */
export function changesTrait(source: RouterSource): Trait<Router> {
  return {
    name: 'changes',
    cases: [
      liveCase(source, 'nodes that come and go are followed', async (harness) => {
        await place(source, harness, [nodeAt(1)])
        const view = (await harness.open()).view({ service })
        const before = await view.ready()
        await place(source, harness, [nodeAt(1), nodeAt(2)])
        const after = await view.changed(before)
        expect(after).not.toBe(before)
        expect(urlsOf(await untilAt(view, [1, 2]))).toEqual([urlAt(1), urlAt(2)])
        await place(source, harness, [nodeAt(2)])
        const last = await untilAt(view, [2])
        expect(view.current).toBe(last)
      }),
      liveCase(source, 'a change wakes everyone who waits, on every router', async (harness) => {
        await place(source, harness, [nodeAt(1)])
        const routers = [await harness.open(), await harness.open()]
        const waits: Promise<unknown>[] = []
        for (const router of routers) {
          const view = router.view({ service })
          const before = await view.ready()
          for (let at = 0; at < 3; at++) waits.push(view.changed(before))
        }
        await place(source, harness, [nodeAt(2)])
        await Promise.all(waits)
        for (const router of routers) await untilAt(router.view({ service }), [2])
      }),
      liveCase(source, 'a caller that gives up ends no one else’s wait', async (harness) => {
        await place(source, harness, [nodeAt(1)])
        const view = (await harness.open()).view({ service })
        const before = await view.ready()
        const caller = new AbortController()
        const reason = new Error('mine')
        const ended = outcomeOf(view.changed(before, { signal: caller.signal }))
        const waiting = view.changed(before)
        caller.abort(reason)
        expect(await ended).toBe(reason)
        await place(source, harness, [nodeAt(1), nodeAt(2)])
        await waiting
        await untilAt(view, [1, 2])
      }),
      liveCase(source, 'a snapshot that was given out stays as it was', async (harness) => {
        await place(source, harness, [nodeAt(1), nodeAt(2)])
        const view = (await harness.open()).view({ service })
        const before = await view.ready()
        const routes = [...before.routes]
        await place(source, harness, [nodeAt(3)])
        await untilAt(view, [3])
        expect(before.routes).toEqual(routes)
        expect(urlsOf(before)).toEqual([urlAt(1), urlAt(2)])
        expect(before.stale).toBe(false)
      }),
      liveCase(source, 'many quick changes: the last state arrives', async (harness) => {
        await place(source, harness, [nodeAt(1)])
        const view = (await harness.open()).view({ service })
        await view.ready()
        for (let round = 0; round < 50; round++) {
          await source.place(harness.scope, [nodeAt(1 + (round % 7)), nodeAt(20 + (round % 3))])
        }
        await source.place(harness.scope, [nodeAt(3), nodeAt(50)])
        await untilAt(view, [3, 50])
      }),
      liveCase(source, 'what changed while nobody waited is not missed', async (harness) => {
        await place(source, harness, [nodeAt(1)])
        const router = await harness.open()
        const view = router.view({ service })
        const before = await view.ready()
        await place(source, harness, [nodeAt(2)])
        // Another view of the same router has heard of it.
        await untilAt(router.view({ service, transports: ['http'] }), [2])
        expect(await view.changed(before)).not.toBe(before)
        await untilAt(view, [2])
      }),
      liveRecordCase(source, 'a changed record makes a new snapshot', async (harness) => {
        await place(source, harness, [nodeAt(1), nodeAt(2)])
        const view = (await harness.open()).view({ service })
        const before = await view.ready()
        const changed = nodeAt(1, { weight: 0, labels: { tier: 'gold' } })
        await place(source, harness, [changed, nodeAt(2)])
        const after = await until(view, ({ routes }) => routes[0]?.node.weight === 0)
        expect(after.routes[0]?.node).toEqual(changed)
        expect(before.routes[0]?.node).toEqual(nodeAt(1))
      }),
    ],
  }
}
