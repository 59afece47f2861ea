import type { Node } from '@micro/core/registry'
import type { Router } from '@micro/core/router'
import { expect } from 'vitest'
import type { Harness } from '../kit/harness.ts'
import { outcomeOf } from '../kit/lifecycle.ts'
import type { Case } from '../kit/trait.ts'
import { nodeAt, service, urlsOf } from './nodes.ts'

/** Where a router has its routes from, as the suite handles it. */
export interface RouterSource {
  /**
   * Makes `nodes` all that the source of `scope` knows. Resolves once the source has them; routers
   * may learn of it later. Each case places its first nodes before it makes its router.
   */
  readonly place: (scope: string, nodes: readonly Node[]) => Promise<unknown> | unknown
  /**
   * Cuts the routers of `scope` off from their source, or lets them reach it again; `place` works
   * all the while. Leave it out where the source is always there: that nothing is ever stale is
   * proved instead.
   */
  readonly interrupt?: (scope: string, away: boolean) => Promise<unknown> | unknown
  /**
   * False where a router keeps the routes it was made with, such as static addresses. That they
   * stay is proved instead.
   * @default true
   */
  readonly live?: boolean
  /**
   * What a route tells of its node: the record as it was placed, or the urls of its endpoints only,
   * as from DNS. That queries for a version or labels find no node is proved instead.
   * @default 'records'
   */
  readonly tells?: 'records' | 'addresses'
}

/** Places nodes, and takes them away when the case ends. */
export async function place(
  source: RouterSource,
  harness: Harness<Router>,
  nodes: readonly Node[],
): Promise<void> {
  harness.defer(() => source.place(harness.scope, []))
  await source.place(harness.scope, nodes)
}

type Run = Case<Router>['run']

/** A case that changes what the source knows while a router is open. */
export function liveCase(source: RouterSource, name: string, run: Run): Case<Router> {
  return {
    name,
    supported: () => source.live !== false,
    run,
    absent: async (harness) => {
      await place(source, harness, [nodeAt(1)])
      const view = (await harness.open()).view({ service })
      const before = await view.ready()
      await place(source, harness, [nodeAt(1), nodeAt(2)])
      const caller = new AbortController()
      const reason = new Error('mine')
      const change = outcomeOf(view.changed(before, { signal: caller.signal }))
      caller.abort(reason)
      expect(await change).toBe(reason)
      expect(view.current).toBe(before)
    },
  }
}

/** A case that needs the whole record of a node. */
export function recordCase(source: RouterSource, name: string, run: Run): Case<Router> {
  return {
    name,
    supported: () => source.tells !== 'addresses',
    run,
    absent: async (harness) => {
      await place(source, harness, [nodeAt(1, { version: '1', labels: { tier: 'gold' } })])
      const router = await harness.open()
      expect(urlsOf(await router.view({ service }).ready())).toHaveLength(1)
      for (const query of [{ version: '1' }, { labels: { tier: 'gold' } }]) {
        expect((await router.view({ service, ...query }).ready()).routes).toEqual([])
      }
    },
  }
}

/** A case that needs both. */
export function liveRecordCase(source: RouterSource, name: string, run: Run): Case<Router> {
  return source.live === false ? liveCase(source, name, run) : recordCase(source, name, run)
}
