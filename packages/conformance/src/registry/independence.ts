import { Context, rootContext, runInContext } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import type { Registry } from '@micro/core/registry'
import { expect } from 'vitest'
import { outcomeOf } from '../kit/lifecycle.ts'
import type { Trait } from '../kit/trait.ts'
import { follow } from './following.ts'
import { listedIds, lists, nodeOf } from './nodes.ts'

/** What an instance does on its own must not end with the call that happened to start it. */
export const independence: Trait<Registry> = {
  name: 'independence from callers',
  cases: [
    {
      name: 'a watch begun with a signal that is aborted afterwards goes on',
      run: async (harness) => {
        const one = await harness.open()
        const caller = new AbortController()
        const following = await follow(harness, await harness.open(), { signal: caller.signal })
        await following.next()
        caller.abort()
        await one.register(nodeOf('a'))
        await following.until(() => following.has(nodeOf('a')))
      },
    },
    {
      name: 'a watch begun in a call goes on when the call has been cancelled',
      run: async (harness) => {
        const one = await harness.open()
        const two = await harness.open()
        const call = new Context(rootContext)
        const following = await runInContext(call, () => follow(harness, two))
        call.cancel(new MicroError('cancelled', 'the caller went away'))
        await one.register(nodeOf('a'))
        await following.until(() => following.has(nodeOf('a')))
      },
    },
    {
      name: 'a later watch is not tied to the first one, its signal or its end',
      run: async (harness) => {
        const registry = await harness.open()
        const caller = new AbortController()
        const first = await registry.watch({ signal: caller.signal })
        const following = await follow(harness, registry)
        caller.abort()
        await first[Symbol.asyncDispose]()
        await (await harness.open()).register(nodeOf('a'))
        await following.until(() => following.has(nodeOf('a')))
      },
    },
    {
      name: 'a node registered with a signal that is aborted afterwards stays, and can be renewed',
      run: async (harness) => {
        const one = await harness.open()
        const two = await harness.open()
        const caller = new AbortController()
        await one.register(nodeOf('a'), { signal: caller.signal })
        caller.abort()
        await lists(two, [nodeOf('a')])
        await one.register(nodeOf('a', { weight: 2 }))
        await lists(two, [nodeOf('a', { weight: 2 })])
      },
    },
    {
      name: 'a node registered in a call stays when the call has been cancelled',
      run: async (harness) => {
        const registry = await harness.open()
        const call = new Context(rootContext)
        await runInContext(call, () => registry.register(nodeOf('a')))
        call.cancel(new MicroError('cancelled', 'the caller went away'))
        await registry.register(nodeOf('b'))
        expect(await listedIds(registry)).toEqual(['a', 'b'])
      },
    },
    {
      name: 'a first use that is aborted at once ends nobody else’s wait',
      run: async (harness) => {
        const registry = await harness.open()
        const caller = new AbortController()
        const reason = new Error('mine')
        const aborted = outcomeOf(registry.list({ signal: caller.signal }))
        const others = [registry.list(), registry.register(nodeOf('a')), registry.connect()]
        caller.abort(reason)
        await Promise.all(others)
        // It may have been quicker than the abort.
        expect([undefined, reason]).toContain(await aborted)
        expect(await listedIds(registry)).toEqual(['a'])
      },
    },
  ],
}
