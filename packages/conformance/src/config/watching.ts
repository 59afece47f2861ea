import type { AbortOptions } from '@micro/core/component'
import type { ConfigSource, ConfigTree } from '@micro/core/config'
import { expect } from 'vitest'
import type { Harness } from '../kit/harness.ts'
import type { Case, Trait } from '../kit/trait.ts'
import type { ConfigSuiteOptions } from './options.ts'

type Watch = AsyncIterator<ConfigTree>

function watchOf(source: ConfigSource, options?: AbortOptions): Watch {
  const trees = source.watch?.(options)
  if (trees === undefined) throw new Error('there is no watch')
  return trees[Symbol.asyncIterator]()
}

function watchCase(
  name: string,
  run: (
    harness: Harness<ConfigSource>,
    open: () => Promise<[ConfigSource, Watch]>,
  ) => Promise<void>,
): Case<ConfigSource> {
  return {
    name,
    // A source that cannot change has no watch, which is all that there is to say of it.
    supported: (source) => source.watch !== undefined,
    run: (harness) =>
      run(harness, async () => {
        const source = await harness.open()
        const watcher = watchOf(source)
        harness.defer(() => watcher.return?.())
        return [source, watcher]
      }),
    absent: async (harness) => {
      expect((await harness.open()).watch).toBeUndefined()
    },
  }
}

/** Reads until a tree says `a: wanted`. */
async function until(watcher: Watch, wanted: string): Promise<ConfigTree> {
  for (let trees = 0; trees < 1_000; trees++) {
    const step = await watcher.next()
    if (step.done === true) throw new Error('the watch has ended')
    if (step.value.values['a'] === wanted) return step.value
  }
  throw new Error(`a thousand trees, and none says ${wanted}`)
}

export function watching({ write }: ConfigSuiteOptions): Trait<ConfigSource> {
  return {
    name: 'watching',
    cases: [
      watchCase('the first tree is what is there', async (harness, open) => {
        await write(harness.scope, { a: '1' })
        const [, watcher] = await open()
        expect((await watcher.next()).value).toMatchObject({ values: { a: '1' } })
      }),
      watchCase('a change is told, whole', async (harness, open) => {
        await write(harness.scope, { a: '1', b: { c: '1', d: '1' } })
        const [, watcher] = await open()
        await watcher.next()
        await write(harness.scope, { a: '2', b: { c: '1' } })
        expect((await until(watcher, '2')).values).toEqual({ a: '2', b: { c: '1' } })
      }),
      watchCase('of many quick changes the last is told', async (harness, open) => {
        await write(harness.scope, { a: '0' })
        const [, watcher] = await open()
        await watcher.next()
        for (let n = 1; n <= 50; n++) await write(harness.scope, { a: String(n) })
        await until(watcher, '50')
      }),
      watchCase('each of several changes is told, one after the other', async (harness, open) => {
        await write(harness.scope, { a: '0' })
        const [, watcher] = await open()
        for (const a of ['0', '1', '2', '3']) {
          await write(harness.scope, { a })
          await until(watcher, a)
        }
      }),
      watchCase('several watches each see every last change', async (harness, open) => {
        await write(harness.scope, { a: '0' })
        const watchers = [(await open())[1], (await open())[1]]
        for (const watcher of watchers) await watcher.next()
        await write(harness.scope, { a: '1' })
        for (const watcher of watchers) await until(watcher, '1')
      }),
      watchCase('closing the source ends its watches', async (harness, open) => {
        await write(harness.scope, { a: '1' })
        const [source, watcher] = await open()
        await watcher.next()
        const pending = watcher.next()
        await source.close()
        expect((await pending).done).toBe(true)
      }),
      watchCase('aborting the signal ends a watch', async (harness) => {
        await write(harness.scope, { a: '1' })
        const source = await harness.open()
        const controller = new AbortController()
        const watcher = watchOf(source, { signal: controller.signal })
        await watcher.next()
        const pending = watcher.next().then(
          ({ done }) => done,
          (error: unknown) => error === controller.signal.reason,
        )
        controller.abort()
        expect(await pending).toBe(true)
      }),
    ],
  }
}
