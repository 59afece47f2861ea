import type { Store, StoreEvent } from '@micro/core/store'
import { expect } from 'vitest'
import type { Harness } from '../kit/harness.ts'
import type { Case, Trait } from '../kit/trait.ts'
import { bytesOf, textOf } from './bytes.ts'

type Watch = Awaited<ReturnType<NonNullable<Store['watch']>>>

function watchCase(
  name: string,
  run: (
    harness: Harness<Store>,
    watch: (store: Store, prefix: string) => Promise<Watch>,
  ) => Promise<void>,
): Case<Store> {
  return {
    name,
    supported: (store) => store.supports.watch,
    run: (harness) =>
      run(harness, async (store, prefix) => {
        const watcher = await (store.watch as NonNullable<Store['watch']>)(prefix)
        harness.defer(() => watcher[Symbol.asyncDispose]())
        return watcher
      }),
    absent: async (harness) => {
      expect((await harness.open()).watch).toBeUndefined()
    },
  }
}

/** Reads until `state`, put together from the events, satisfies `done`. */
async function follow(
  store: Store,
  watcher: Watch,
  state: Map<string, string | undefined>,
  done: () => boolean,
): Promise<void> {
  while (!done()) {
    const step = await watcher.next()
    if (step.done === true) throw new Error('the watch has ended')
    await take(store, step.value, state)
  }
}

async function take(store: Store, event: StoreEvent, state: Map<string, string | undefined>) {
  if (event.type === 'put') state.set(event.record.key, textOf(event.record.value))
  else if (event.type === 'delete') state.delete(event.key)
  else {
    state.clear()
    for await (const { key, value } of store.list()) state.set(key, textOf(value))
  }
}

export const watching: Trait<Store> = {
  name: 'watching',
  cases: [
    watchCase(
      'another instance sees puts and deletes of the prefix, in order',
      async (harness, watch) => {
        const one = await harness.open()
        const two = await harness.open()
        const watcher = await watch(two, 'k/')
        const version = await one.write('k/a', bytesOf('1'), { metadata: { m: 'x' } })
        await one.write('other', bytesOf('1'))
        const first = await watcher.next()
        expect(first.value).toMatchObject({
          type: 'put',
          record: { key: 'k/a', version, metadata: { m: 'x' } },
        })
        await one.delete('k/a')
        expect((await watcher.next()).value).toEqual({ type: 'delete', key: 'k/a' })
        await one.write('k/b', bytesOf('2'))
        expect((await watcher.next()).value).toMatchObject({ type: 'put', record: { key: 'k/b' } })
      },
    ),
    watchCase('a record that lapses is told of', async (harness, watch) => {
      const store = await harness.open()
      const watcher = await watch(store, '')
      await store.write('a', bytesOf('1'), { ttl: 1_000 })
      expect((await watcher.next()).value).toMatchObject({ type: 'put' })
      expect((await watcher.next()).value).toEqual({ type: 'delete', key: 'a' })
    }),
    watchCase('many quick changes: the last state of each key arrives', async (harness, watch) => {
      const writer = await harness.open()
      const reader = await harness.open()
      const watcher = await watch(reader, '')
      const keys = ['a', 'b', 'c', 'd']
      await Promise.all(
        keys.map(async (key) => {
          for (let n = 1; n <= 100; n++) await writer.write(key, bytesOf(String(n)))
        }),
      )
      const state = new Map<string, string | undefined>()
      await follow(reader, watcher, state, () => keys.every((key) => state.get(key) === '100'))
    }),
    watchCase('a reader that never reads holds nobody up', async (harness, watch) => {
      const store = await harness.open()
      await watch(store, '')
      for (let n = 0; n < 500; n++) await store.write(`k${n % 50}`, bytesOf(String(n)))
      const late = await watch(store, '')
      await store.write('last', bytesOf('1'))
      expect((await late.next()).value).toMatchObject({ type: 'put', record: { key: 'last' } })
    }),
    watchCase(
      'the iteration ends when the watcher is disposed of, also under a pending next',
      async (harness, watch) => {
        const store = await harness.open()
        const watcher = await watch(store, '')
        const pending = watcher.next()
        await watcher[Symbol.asyncDispose]()
        expect((await pending).done).toBe(true)
        expect((await watcher.next()).done).toBe(true)
        await watcher[Symbol.asyncDispose]()
        await store.write('a', bytesOf('1'))
      },
    ),
    watchCase('the iteration ends when the store is closed', async (harness, watch) => {
      const store = await harness.open()
      const watcher = await watch(store, '')
      const pending = watcher.next()
      await store.close()
      expect((await pending).done).toBe(true)
    }),
    watchCase('an abort after the watch has begun does not end it', async (harness) => {
      const store = await harness.open()
      const controller = new AbortController()
      const watcher = await store.watch?.('', { signal: controller.signal })
      controller.abort()
      await store.write('a', bytesOf('1'))
      expect((await watcher?.next())?.value).toMatchObject({ type: 'put' })
      await watcher?.return?.()
    }),
  ],
}
