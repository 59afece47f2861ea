import type { Registry } from '@micro/core/registry'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'
import { listedIds, lists, nodeOf } from './nodes.ts'

export const registering: Trait<Registry> = {
  name: 'registering',
  cases: [
    {
      name: 'a node is listed, by another instance too',
      run: async (harness) => {
        const one = await harness.open()
        const two = await harness.open()
        const node = nodeOf('a')
        await one.register(node)
        expect(await one.list()).toEqual([node])
        await lists(two, [node])
      },
    },
    {
      name: 'registered again with other fields, the record is replaced and not merged',
      run: async (harness) => {
        const one = await harness.open()
        const two = await harness.open()
        await one.register(nodeOf('a', { zone: 'east', labels: { tier: 'gold', canary: 'yes' } }))
        const after = nodeOf('a', { version: '2.0.0', weight: 0, labels: { tier: 'silver' } })
        await one.register(after)
        await lists(two, [after])
      },
    },
    {
      name: 'registered again by another instance, the record is replaced too',
      run: async (harness) => {
        const one = await harness.open()
        const two = await harness.open()
        await one.register(nodeOf('a', { weight: 1 }))
        await two.register(nodeOf('a', { weight: 2 }))
        await lists(one, [nodeOf('a', { weight: 2 })])
      },
    },
    {
      name: 'registered again unchanged, it is there once',
      run: async (harness) => {
        const registry = await harness.open()
        await registry.register(nodeOf('a'))
        await registry.register(nodeOf('a'))
        expect(await registry.list()).toEqual([nodeOf('a')])
      },
    },
    {
      name: 'many nodes registered at once, by two instances, are all there',
      run: async (harness) => {
        const one = await harness.open()
        const two = await harness.open()
        const ids = Array.from({ length: 50 }, (_, at) => `n${at + 10}`)
        await Promise.all(
          ids.map((id, at) => (at % 2 === 0 ? one : two).register(nodeOf(id, { weight: at }))),
        )
        const nodes = ids.map((id, at) => nodeOf(id, { weight: at }))
        await lists(one, nodes)
        await lists(two, nodes)
      },
    },
    {
      name: 'a node changed by its owner after registering stays as it was registered',
      run: async (harness) => {
        const registry = await harness.open()
        const labels: Record<string, string> = { tier: 'gold' }
        const node = nodeOf('a', { labels })
        await registry.register(node)
        labels['tier'] = 'silver'
        expect((await registry.list())[0]?.labels).toEqual({ tier: 'gold' })
      },
    },
    {
      name: 'a withdrawn node is gone for every instance, and the others stay',
      run: async (harness) => {
        const one = await harness.open()
        const two = await harness.open()
        await one.register(nodeOf('a'))
        await one.register(nodeOf('b'))
        await lists(two, [nodeOf('a'), nodeOf('b')])
        await one.deregister({ id: 'a', service: 'orders' })
        expect(await listedIds(one)).toEqual(['b'])
        await lists(two, [nodeOf('b')])
      },
    },
    {
      name: 'another instance can withdraw a node',
      run: async (harness) => {
        const one = await harness.open()
        const two = await harness.open()
        await one.register(nodeOf('a'))
        await lists(two, [nodeOf('a')])
        await two.deregister(nodeOf('a'))
        await lists(one, [])
      },
    },
    {
      name: 'withdrawing an unknown node is no error and touches no other',
      run: async (harness) => {
        const registry = await harness.open()
        await registry.deregister({ id: 'a', service: 'orders' })
        await registry.register(nodeOf('a'))
        await registry.deregister({ id: 'b', service: 'orders' })
        await registry.deregister({ id: 'a', service: 'payments' })
        expect(await listedIds(registry)).toEqual(['a'])
        await registry.deregister(nodeOf('a'))
        await registry.deregister(nodeOf('a'))
        expect(await registry.list()).toEqual([])
      },
    },
    {
      name: 'a withdrawn node can be registered again',
      run: async (harness) => {
        const one = await harness.open()
        const two = await harness.open()
        await one.register(nodeOf('a'))
        await one.deregister(nodeOf('a'))
        await one.register(nodeOf('a', { weight: 7 }))
        await lists(two, [nodeOf('a', { weight: 7 })])
      },
    },
  ],
}
