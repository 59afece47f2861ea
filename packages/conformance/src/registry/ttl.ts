import { sleep } from '@micro/core/component'
import type { Node, Registry } from '@micro/core/registry'
import { expect } from 'vitest'
import { expectCode } from '../kit/lifecycle.ts'
import type { Trait } from '../kit/trait.ts'
import { follow } from './following.ts'
import { listedIds, lists, nodeOf } from './nodes.ts'

const long = 60_000

/** `ttl`: milliseconds that are long enough for a busy server, short enough to wait for. */
export function ttlTrait(ttl: number): Trait<Registry> {
  return {
    name: 'ttl',
    cases: [
      {
        name: 'a node that is not registered again lapses, for every instance; the others stay',
        run: async (harness) => {
          const one = await harness.open()
          const two = await harness.open()
          await one.register(nodeOf('stays'), { ttl: long })
          await one.register(nodeOf('lapses'), { ttl })
          expect(await listedIds(one)).toContain('lapses')
          await lapsed(one, nodeOf('lapses'), ttl)
          await lapsed(two, nodeOf('lapses'), ttl)
          await lists(two, [nodeOf('stays')])
        },
      },
      {
        name: 'a node whose instance was closed is gone when its ttl has ended, at the latest',
        run: async (harness) => {
          const one = await harness.open()
          const two = await harness.open()
          await one.register(nodeOf('a'), { ttl })
          await one.close()
          await lapsed(two, nodeOf('a'), ttl)
        },
      },
      {
        name: 'without a ttl given, a node does not lapse soon',
        run: async (harness) => {
          const registry = await harness.open()
          await registry.register(nodeOf('a'))
          await registry.register(nodeOf('b'), { ttl })
          await lapsed(registry, nodeOf('b'), ttl)
          expect(await listedIds(registry)).toEqual(['a'])
        },
      },
      {
        name: 'registering again, though unchanged, moves the end of the ttl',
        run: async (harness) => {
          const registry = await harness.open()
          await registry.register(nodeOf('a'), { ttl })
          await registry.register(nodeOf('a'), { ttl: long })
          // Registered later with the same ttl, so it goes after `a` would have gone.
          await registry.register(nodeOf('b'), { ttl })
          await lapsed(registry, nodeOf('b'), ttl)
          expect(await listedIds(registry)).toEqual(['a'])
        },
      },
      {
        name: 'registered again and again, a node never lapses',
        run: async (harness) => {
          const registry = await harness.open()
          const following = await follow(harness, registry)
          await registry.register(nodeOf('a'), { ttl })
          await following.until(() => following.has(nodeOf('a')))
          await registry.register(nodeOf('b'), { ttl })
          const known = following.until(() => following.has(nodeOf('b')))
          const renewing = new AbortController()
          const renewed = renew(registry, nodeOf('a'), ttl, renewing.signal)
          try {
            await known
            await following.until(() => !following.has(nodeOf('b')))
          } finally {
            renewing.abort()
            await renewed
          }
          expect(following.events).not.toContainEqual(
            expect.objectContaining({ type: 'delete', id: 'a' }),
          )
          expect(await listedIds(registry)).toContain('a')
        },
      },
      {
        name: 'a shorter ttl takes the place of a longer one',
        run: async (harness) => {
          const registry = await harness.open()
          await registry.register(nodeOf('a'), { ttl: long })
          await registry.register(nodeOf('a'), { ttl })
          await lapsed(registry, nodeOf('a'), ttl)
        },
      },
      {
        name: 'withdrawn and registered anew, a node does not lapse with its former ttl',
        run: async (harness) => {
          const registry = await harness.open()
          await registry.register(nodeOf('a'), { ttl })
          await registry.deregister(nodeOf('a'))
          await registry.register(nodeOf('a'), { ttl: long })
          await registry.register(nodeOf('b'), { ttl })
          await lapsed(registry, nodeOf('b'), ttl)
          expect(await listedIds(registry)).toEqual(['a'])
        },
      },
      {
        name: 'watchers of every instance are told of a node that lapses, and of its return',
        run: async (harness) => {
          const one = await harness.open()
          const two = await harness.open()
          const following = [await follow(harness, one), await follow(harness, two)]
          await one.register(nodeOf('a'), { ttl })
          await Promise.all(following.map((each) => each.until(() => each.has(nodeOf('a')))))
          await Promise.all(following.map((each) => each.until(() => !each.has(nodeOf('a')))))
          await one.register(nodeOf('a'), { ttl: long })
          await Promise.all(following.map((each) => each.until(() => each.has(nodeOf('a')))))
        },
      },
      ...[0, -1, Number.NaN, Number.POSITIVE_INFINITY].map((wrong) => ({
        name: `a ttl of ${wrong} is refused, by name`,
        run: async (harness: Parameters<Trait<Registry>['cases'][number]['run']>[0]) => {
          const registry = await harness.open()
          const work = registry.register(nodeOf('a'), { ttl: wrong })
          expect((await expectCode(work, 'invalid_argument')).detail).toContain('ttl')
          expect(await registry.list()).toEqual([])
        },
      })),
    ],
  }
}

async function renew(
  registry: Registry,
  node: Node,
  ttl: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await registry.register(node, { ttl })
    await sleep(ttl / 5, { signal, keepAlive: true }).catch(() => undefined)
  }
}

/** Waits until the node is not listed any more. Backends may round a ttl up to their unit. */
async function lapsed(registry: Registry, node: Node, ttl: number): Promise<void> {
  const latest = Date.now() + 2 * ttl + 10_000
  while ((await listedIds(registry, node.service)).includes(node.id)) {
    expect(Date.now(), `${node.id} lapses in time`).toBeLessThan(latest)
    await sleep(20, { keepAlive: true })
  }
}
