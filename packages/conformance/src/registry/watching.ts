import type { Node, Registry } from '@micro/core/registry'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'
import { follow } from './following.ts'
import { idsOf, lists, nodeOf } from './nodes.ts'

const changes = 200

export const watching: Trait<Registry> = {
  name: 'watching',
  cases: [
    {
      name: 'a watch begins with a reset, also where there is no node',
      run: async (harness) => {
        const following = await follow(harness, await harness.open())
        expect(await following.next()).toEqual({ type: 'reset', nodes: [] })
      },
    },
    {
      name: 'the first reset tells all that is there, whoever registered it',
      run: async (harness) => {
        const one = await harness.open()
        const two = await harness.open()
        const nodes = [nodeOf('a', { labels: { tier: 'gold' } }), nodeOf('b', { service: 'other' })]
        for (const node of nodes) await one.register(node)
        await lists(two, nodes)
        for (const registry of [one, two]) {
          const event = await (await follow(harness, registry)).next()
          expect(event.type).toBe('reset')
          if (event.type !== 'reset') return
          expect(event.nodes).toHaveLength(nodes.length)
          expect(event.nodes).toEqual(expect.arrayContaining(nodes))
        }
      },
    },
    {
      name: 'what another instance registers, changes and withdraws is told',
      run: async (harness) => {
        const one = await harness.open()
        const following = await follow(harness, await harness.open())
        await following.next()
        const node = nodeOf('a', { labels: { tier: 'gold' } })
        await one.register(node)
        await following.until(() => following.has(node))
        expect(following.get(node)).toEqual(node)
        const changed = nodeOf('a', { weight: 0 })
        await one.register(changed)
        await following.until(() => following.get(node)?.weight === 0)
        expect(following.get(node)).toEqual(changed)
        await one.deregister(node)
        await following.until(() => !following.has(node))
      },
    },
    {
      name: 'what its own instance registers and withdraws is told too',
      run: async (harness) => {
        const registry = await harness.open()
        const following = await follow(harness, registry)
        await registry.register(nodeOf('a'))
        await following.until(() => following.has(nodeOf('a')))
        await registry.deregister(nodeOf('a'))
        await following.until(() => !following.has(nodeOf('a')))
      },
    },
    {
      name: 'what is registered once the watch has begun is not missed',
      run: async (harness) => {
        const one = await harness.open()
        const two = await harness.open()
        for (let round = 0; round < 10; round++) {
          const node = nodeOf(`n${round}`)
          const following = await follow(harness, two)
          await one.register(node)
          await following.until(() => following.has(node))
        }
      },
    },
    {
      name: 'a node renewed without a change is never told as gone',
      run: async (harness) => {
        const one = await harness.open()
        const following = await follow(harness, await harness.open())
        await one.register(nodeOf('a'))
        await following.until(() => following.has(nodeOf('a')))
        for (let round = 0; round < 5; round++) await one.register(nodeOf('a'))
        await one.register(nodeOf('b'))
        await following.until(() => following.has(nodeOf('b')))
        expect(following.has(nodeOf('a'))).toBe(true)
        expect(following.events.filter((event) => event.type === 'delete')).toEqual([])
      },
    },
    {
      name: `${changes} quick changes of one node: the last arrives at a reader that keeps up`,
      run: async (harness) => {
        const one = await harness.open()
        const following = await follow(harness, await harness.open())
        await Promise.all([
          change(one),
          following.until(() => following.get(nodeOf('a'))?.weight === changes),
        ])
      },
    },
    {
      name: `${changes} quick changes of one node: the last arrives at a reader that comes late`,
      run: async (harness) => {
        const one = await harness.open()
        const following = await follow(harness, await harness.open())
        await following.next()
        await change(one)
        await following.until(() => following.get(nodeOf('a'))?.weight === changes)
        await change(one)
        await one.deregister(nodeOf('a'))
        await following.until(() => !following.has(nodeOf('a')))
      },
    },
    {
      name: 'what the events add up to is what is listed',
      run: async (harness) => {
        const one = await harness.open()
        const two = await harness.open()
        const early = await follow(harness, one)
        const late = await follow(harness, two)
        await early.next()
        const wanted = await stir([one, two])
        await lists(one, wanted)
        await lists(two, wanted)
        for (const following of [early, late, await follow(harness, two)]) {
          await following.until(
            () =>
              following.nodes.size === wanted.length &&
              wanted.every((node) => following.get(node)?.weight === node.weight),
          )
          expect(idsOf(following.nodes.values())).toEqual(idsOf(wanted))
          for (const node of wanted) expect(following.get(node)).toEqual(node)
        }
      },
    },
  ],
}

async function change(registry: Registry): Promise<void> {
  for (let weight = 1; weight <= changes; weight++) await registry.register(nodeOf('a', { weight }))
}

/**
 * Registers and withdraws nodes of two services in an order that is always the same. Each node is
 * one instance's own, so that the order of its changes is known. Returns what must be left.
 */
async function stir(registries: readonly Registry[]): Promise<Node[]> {
  const left = new Map<string, Node>()
  await Promise.all(
    registries.map(async (registry, owner) => {
      for (let step = 1; step <= 60; step++) {
        const id = `n${owner}-${(step * 7) % 5}`
        const service = (step * 7) % 2 === 0 ? 'orders' : 'payments'
        const node = nodeOf(`${id}-${service}`, { service, weight: step })
        if (step % 3 === 0) {
          await registry.deregister(node)
          left.delete(node.id)
        } else {
          await registry.register(node)
          left.set(node.id, node)
        }
      }
    }),
  )
  return [...left.values()]
}
