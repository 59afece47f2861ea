import type { Registry } from '@micro/core/registry'
import { expect } from 'vitest'
import { newScope } from '../kit/harness.ts'
import type { Trait } from '../kit/trait.ts'
import { follow } from './following.ts'
import { listedIds, lists, nodeOf } from './nodes.ts'

export const scopes: Trait<Registry> = {
  name: 'scopes',
  cases: [
    {
      name: 'nodes of one scope are not listed in another, whose name may begin alike',
      run: async (harness) => {
        const here = await harness.open()
        const others = await Promise.all([
          harness.open(newScope()),
          harness.open(`${harness.scope}x`),
          harness.open(harness.scope.slice(0, -1)),
        ])
        await here.register(nodeOf('a'))
        await lists(await harness.open(), [nodeOf('a')])
        for (const other of others) {
          expect(await other.list()).toEqual([])
          expect(await other.list({ service: 'orders' })).toEqual([])
        }
      },
    },
    {
      name: 'a node of the same service and id is another one in another scope',
      run: async (harness) => {
        const here = await harness.open()
        const there = await harness.open(newScope())
        await here.register(nodeOf('a', { weight: 1 }))
        await there.register(nodeOf('a', { weight: 2 }))
        expect(await here.list()).toEqual([nodeOf('a', { weight: 1 })])
        expect(await there.list()).toEqual([nodeOf('a', { weight: 2 })])
        await there.deregister(nodeOf('a'))
        expect(await listedIds(here)).toEqual(['a'])
      },
    },
    {
      name: 'a watch tells nothing of another scope',
      run: async (harness) => {
        const here = await harness.open()
        const there = await harness.open(newScope())
        await there.register(nodeOf('before'))
        const following = await follow(harness, here)
        await there.register(nodeOf('theirs'))
        await there.deregister(nodeOf('before'))
        await here.register(nodeOf('ours'))
        await following.until(() => following.has(nodeOf('ours')))
        const told = JSON.stringify(following.events)
        expect(told).not.toContain('theirs')
        expect(told).not.toContain('before')
      },
    },
  ],
}
