import { faulty, scripted } from '@micro/conformance/faults'
import { outcomeOf } from '@micro/conformance/kit'
import { memoryRegistry, type Node } from '@micro/core/registry'
import { describe, expect, test } from 'vitest'
import { awake } from './support/awake.ts'
import { keysOf, storeWith } from './support/faulty-stores.ts'

const node: Node = {
  schema: 1,
  id: 'a',
  service: 'orders',
  version: '1.0.0',
  weight: 1,
  labels: {},
  endpoints: [],
}

describe('what is iterated', () => {
  test.each([0, 2])('ends with an error after %i items', async (items) => {
    const { store } = await storeWith({ kind: 'cut', items, method: 'list', call: 1 })
    const keys: string[] = []
    const reading = (async () => {
      for await (const { key } of store.list()) keys.push(key)
    })()
    await expect(reading).rejects.toMatchObject({ code: 'unavailable', processed: 'unknown' })
    expect(keys).toEqual(['a', 'b', 'c'].slice(0, items))
    expect(await keysOf(store)).toEqual(['a', 'b', 'c'])
  })

  test('is complete if it ends by itself before, and stays ended after', async () => {
    const { store } = await storeWith(
      { kind: 'cut', items: 3, method: 'list', call: 1 },
      { kind: 'cut', items: 4, method: 'list', call: 2 },
      { kind: 'cut', items: 1, method: 'list', call: 3 },
    )
    expect(await outcomeOf(keysOf(store))).toMatchObject({ code: 'unavailable' })
    expect(await keysOf(store)).toEqual(['a', 'b', 'c'])
    const iterator = store.list()[Symbol.asyncIterator]()
    await iterator.next()
    await expect(iterator.next()).rejects.toMatchObject({ code: 'unavailable' })
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  })

  test('that has ended by itself is not cut off afterwards', async () => {
    const { store } = await storeWith({ kind: 'cut', items: 4, method: 'list', call: 1 })
    const iterator = store.list()[Symbol.asyncIterator]()
    for (let round = 0; round < 3; round++) await iterator.next()
    for (let round = 0; round < 3; round++) expect((await iterator.next()).done).toBe(true)
  })

  test('dropped and given up unread, ends when it is read', async () => {
    const { store } = await storeWith({ kind: 'drop', method: 'list', call: 1 })
    const controller = new AbortController()
    const iterable = store.list({ signal: controller.signal })
    controller.abort('enough')
    expect(await outcomeOf(Array.fromAsync(iterable))).toBe('enough')
  })

  test('can be late, dropped, and fail before', async () => {
    const { store } = await storeWith(
      { kind: 'delay', milliseconds: 1, method: 'list', call: 1 },
      { kind: 'drop', method: 'list', call: 2 },
      { kind: 'fail_before', method: 'list', call: 3 },
    )
    expect(await awake(() => keysOf(store))).toEqual(['a', 'b', 'c'])
    const controller = new AbortController()
    const dropped = outcomeOf(keysOf(store, controller.signal))
    controller.abort('enough')
    expect(await dropped).toBe('enough')
    expect(await outcomeOf(keysOf(store))).toMatchObject({ processed: 'no' })
  })

  test('a watch is cut off, and what it was made of is freed', async () => {
    const real = memoryRegistry()
    const { watch } = real
    let ended = 0
    real.watch = async (options) => {
      const watcher = await watch(options)
      const end = watcher.return
      watcher.return = async () => {
        ended += 1
        return end?.call(watcher) ?? { done: true, value: undefined }
      }
      return watcher
    }
    const registry = faulty(real, scripted([{ kind: 'cut', items: 2, method: 'watch', call: 1 }]))
    const watcher = await registry.watch()
    expect((await watcher.next()).value).toMatchObject({ type: 'reset' })
    await registry.register(node)
    expect((await watcher.next()).value).toMatchObject({ type: 'put' })
    expect(ended).toBe(0)
    await expect(watcher.next()).rejects.toMatchObject({ code: 'unavailable' })
    expect(ended).toBe(1)
    for await (const _ of watcher) expect.unreachable('it has ended')
    await watcher[Symbol.asyncDispose]()
    const next = await registry.watch()
    for await (const event of next) {
      expect(event).toMatchObject({ type: 'reset', nodes: [node] })
      break
    }
  })

  test('a watch whose answer was lost, or that began twice, leaves nothing open', async () => {
    const open = new Set<object>()
    const real = memoryRegistry()
    const { watch } = real
    real.watch = async (options) => {
      const watcher = await watch(options)
      const { [Symbol.asyncDispose]: dispose } = watcher
      open.add(watcher)
      return Object.assign(watcher, {
        [Symbol.asyncDispose]: async () => {
          open.delete(watcher)
          await dispose()
        },
      })
    }
    const registry = faulty(
      real,
      scripted([
        { kind: 'fail_after', method: 'watch', call: 1 },
        { kind: 'duplicate', method: 'watch', call: 2 },
      ]),
    )
    expect(await outcomeOf(registry.watch())).toMatchObject({ processed: 'unknown' })
    expect(open.size).toBe(0)
    await registry.watch()
    expect(open.size).toBe(1)
  })
})
