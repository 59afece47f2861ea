import type { Registry, RegistryWatcher } from '@micro/core/registry'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'
import { follow } from './following.ts'
import { nodeOf } from './nodes.ts'

export const watchers: Trait<Registry> = {
  name: 'watchers',
  cases: [
    {
      name: 'a watch of one service tells of no other, though it be alike',
      run: async (harness) => {
        const one = await harness.open()
        const two = await harness.open()
        const others = ['payments', 'orders-eu', 'order', 'Orders', 'my-orders']
        await one.register(nodeOf('before', { service: 'payments' }))
        const following = await follow(harness, two, { service: 'orders' })
        for (const service of others) {
          const node = nodeOf(`of-${service}`, { service })
          await one.register(node)
          await one.deregister(node)
          await one.register(node)
        }
        await one.register(nodeOf('a'))
        await following.until(() => following.has(nodeOf('a')))
        await one.deregister(nodeOf('a'))
        await following.until(() => !following.has(nodeOf('a')))
        for (const event of following.events) {
          if (event.type === 'reset')
            expect(event.nodes.map((node) => node.service)).not.toContain('payments')
          else if (event.type === 'put') expect(event.node.service).toBe('orders')
          else expect(event.service).toBe('orders')
        }
      },
    },
    {
      name: 'two watchers of one instance are told the same, and end each for itself',
      run: async (harness) => {
        const one = await harness.open()
        const two = await harness.open()
        const ending = await two.watch()
        const staying = await follow(harness, two)
        await one.register(nodeOf('a'))
        await staying.until(() => staying.has(nodeOf('a')))
        await readUntil(ending, 'a')
        await ending[Symbol.asyncDispose]()
        await one.register(nodeOf('b'))
        await staying.until(() => staying.has(nodeOf('b')))
        expect((await ending.next()).done).toBe(true)
      },
    },
    {
      name: 'a watcher that is never read holds nobody up',
      run: async (harness) => {
        const one = await harness.open()
        const two = await harness.open()
        const idle = await two.watch()
        harness.defer(() => idle[Symbol.asyncDispose]())
        const following = await follow(harness, two)
        for (let weight = 1; weight <= 100; weight++) {
          await one.register(nodeOf(`n${weight % 10}`, { weight }))
        }
        await one.register(nodeOf('last'))
        await following.until(() => following.has(nodeOf('last')))
      },
    },
    {
      name: 'next called again before it has settled: each call is answered',
      run: async (harness) => {
        const registry = await harness.open()
        const watcher = await registry.watch()
        harness.defer(() => watcher[Symbol.asyncDispose]())
        await watcher.next()
        const pending = [watcher.next(), watcher.next()]
        await registry.register(nodeOf('a'))
        await Promise.race(pending)
        await registry.register(nodeOf('b'))
        const steps = await Promise.all(pending)
        expect(steps.map(({ value }) => value?.type)).toEqual(['put', 'put'])
      },
    },
    {
      name: 'break ends the iteration for good',
      run: async (harness) => {
        const registry = await harness.open()
        const watcher = await registry.watch()
        for await (const _ of watcher) break
        await registry.register(nodeOf('a'))
        expect((await watcher.next()).done).toBe(true)
      },
    },
    {
      name: 'return and disposal end it, also under a pending next, and twice',
      run: async (harness) => {
        const registry = await harness.open()
        const ends = [
          (watcher: RegistryWatcher) => watcher.return?.(),
          (watcher: RegistryWatcher) => watcher[Symbol.asyncDispose](),
        ]
        for (const end of ends) {
          const watcher = await registry.watch()
          await watcher.next()
          const pending = watcher.next()
          await end(watcher)
          expect((await pending).done).toBe(true)
          await end(watcher)
          expect((await watcher.next()).done).toBe(true)
        }
      },
    },
    {
      name: 'a watcher that ended before it was read gives nothing',
      run: async (harness) => {
        const registry = await harness.open()
        await registry.register(nodeOf('a'))
        const watcher = await registry.watch()
        await watcher[Symbol.asyncDispose]()
        expect((await watcher.next()).done).toBe(true)
      },
    },
    {
      name: 'closing the registry ends every iteration, also under a pending next',
      run: async (harness) => {
        const registry = await harness.open()
        const waiting = await registry.watch()
        const unread = await registry.watch()
        await waiting.next()
        const pending = waiting.next()
        await registry.close()
        expect((await pending).done).toBe(true)
        // What was queued may still be read; then it ends.
        for await (const event of unread) expect(event.type).toBe('reset')
        expect((await unread.next()).done).toBe(true)
      },
    },
    {
      name: 'closing one instance ends no watch of another',
      run: async (harness) => {
        const one = await harness.open()
        const two = await harness.open()
        const following = await follow(harness, two)
        await follow(harness, one)
        await one.close()
        await two.register(nodeOf('a'))
        await following.until(() => following.has(nodeOf('a')))
      },
    },
    {
      name: 'a watch that ends under many changes leaves the registry at work',
      run: async (harness) => {
        const registry = await harness.open()
        for (let round = 0; round < 10; round++) {
          const watcher = await registry.watch()
          const work = registry.register(nodeOf('a', { weight: round }))
          await watcher[Symbol.asyncDispose]()
          await work
        }
        const following = await follow(harness, registry)
        await following.until(() => following.get(nodeOf('a'))?.weight === 9)
      },
    },
  ],
}

async function readUntil(watcher: RegistryWatcher, id: string): Promise<void> {
  for (;;) {
    const { done, value } = await watcher.next()
    if (done === true) throw new Error('the watch has ended')
    if (value.type === 'put' && value.node.id === id) return
    if (value.type === 'reset' && value.nodes.some((node) => node.id === id)) return
  }
}
