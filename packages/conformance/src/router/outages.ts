import { sleep } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { Router, RouteView, Snapshot } from '@micro/core/router'
import { expect } from 'vitest'
import type { Harness } from '../kit/harness.ts'
import { expectCode } from '../kit/lifecycle.ts'
import type { Case, Trait } from '../kit/trait.ts'
import { nodeAt, service, until, untilAt, urlAt, urlsOf } from './nodes.ts'
import { liveCase, place, type RouterSource } from './source.ts'

/** The source of routes may be away; calls go on. */
export function outagesTrait(source: RouterSource): Trait<Router> {
  const awayCase = (
    name: string,
    run: (harness: Harness<Router>, away: (now: boolean) => Promise<void>) => Promise<void>,
  ): Case<Router> => ({
    ...liveCase(source, name, async (harness) => {
      harness.defer(() => source.interrupt?.(harness.scope, false))
      await run(harness, async (now) => {
        await source.interrupt?.(harness.scope, now)
      })
    }),
    supported: () => source.interrupt !== undefined,
    absent: (harness) => neverStale(source, harness),
  })

  return {
    name: 'outages',
    cases: [
      awayCase('the last known routes stay, and are said to be old', async (harness, away) => {
        await place(source, harness, [nodeAt(1), nodeAt(2)])
        const router = await harness.open()
        const view = router.view({ service })
        const before = await view.ready()
        await away(true)
        const during = await until(view, ({ stale }) => stale)
        expect(during.routes).toEqual(before.routes)
        expect(during.routes[0]).toBe(before.routes[0])
        expect(before.stale).toBe(false)
        expect(view.current).toBe(during)
        expect(await view.ready()).toBe(during)
        expect(router.health().status).toBe('degraded')
      }),
      awayCase('after an outage the routes are fresh again, and kept', async (harness, away) => {
        await place(source, harness, [nodeAt(1)])
        const router = await harness.open()
        const view = router.view({ service })
        const before = await view.ready()
        await away(true)
        await until(view, ({ stale }) => stale)
        await away(false)
        const after = await until(view, ({ stale }) => !stale)
        expect(after.routes).toHaveLength(1)
        expect(after.routes[0]).toBe(before.routes[0])
        expect(router.health().status).toBe('up')
      }),
      awayCase('what came and went during an outage is known after it', async (harness, away) => {
        await place(source, harness, [nodeAt(1), nodeAt(2)])
        const view = (await harness.open()).view({ service })
        await view.ready()
        await away(true)
        await until(view, ({ stale }) => stale)
        await place(source, harness, [nodeAt(2), nodeAt(3)])
        await away(false)
        expect((await untilAt(view, [2, 3])).stale).toBe(false)
      }),
      awayCase('a service that lost all nodes during an outage is empty', async (harness, away) => {
        await place(source, harness, [nodeAt(1)])
        const view = (await harness.open()).view({ service })
        await view.ready()
        await away(true)
        await until(view, ({ stale }) => stale)
        await place(source, harness, [])
        await away(false)
        expect(await untilAt(view, [])).toEqual({ routes: [], stale: false })
      }),
      awayCase('outages one after another are all got over', async (harness, away) => {
        await place(source, harness, [nodeAt(1)])
        const view = (await harness.open()).view({ service })
        for (let round = 0; round < 3; round++) {
          await away(true)
          await view.ready().catch(() => undefined)
          await away(false)
          await until(patient(view), ({ stale }) => !stale)
        }
        await place(source, harness, [nodeAt(2)])
        await untilAt(view, [2])
      }),
      awayCase(
        'begun in an outage, a view says so and is ready after it',
        async (harness, away) => {
          await place(source, harness, [nodeAt(1)])
          const router = await harness.open()
          await away(true)
          const view = router.view({ service })
          await expectCode(view.ready(), 'unavailable')
          expect(view.current).toBeUndefined()
          await expectCode(view.changed(undefined), 'unavailable')
          await away(false)
          const snapshot = await patient(view).ready()
          expect(urlsOf(snapshot)).toEqual([urlAt(1)])
          expect(snapshot.stale).toBe(false)
        },
      ),
      awayCase('close does not wait for the end of an outage', async (harness, away) => {
        await place(source, harness, [nodeAt(1)])
        const router = await harness.open()
        const view = router.view({ service })
        await view.ready()
        await away(true)
        await until(view, ({ stale }) => stale)
        await router.close()
        expect(router.health().status).toBe('down')
      }),
    ],
  }
}

/** A view that asks again for as long as it is told that the source is away. */
function patient(view: RouteView): RouteView {
  return {
    get current() {
      return view.current
    },
    async ready(options): Promise<Snapshot> {
      for (;;) {
        try {
          return await view.ready(options)
        } catch (error) {
          if (!MicroError.is(error, 'unavailable')) throw error
        }
        // A router may refuse at once, and needs the event loop to reach its source.
        await sleep(10, { keepAlive: true })
      }
    },
    changed: (seen, options) => view.changed(seen, options),
  }
}

async function neverStale(source: RouterSource, harness: Harness<Router>): Promise<void> {
  await place(source, harness, [nodeAt(1)])
  const router = await harness.open()
  expect((await router.view({ service }).ready()).stale).toBe(false)
  expect(router.health().status).toBe('up')
}
