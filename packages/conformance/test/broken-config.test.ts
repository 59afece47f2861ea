import { type ConfigSuiteOptions, configTraits } from '@micro/conformance/config'
import type { ConfigSource, ConfigTree } from '@micro/core/config'
import { describe, expect, test } from 'vitest'
import { failuresOf } from './support/failures-of.ts'
import { objectPlaces } from './support/object-places.ts'

const never = (): Promise<IteratorResult<ConfigTree>> => new Promise(() => undefined)

const broken: readonly (readonly [
  string,
  string,
  (source: ConfigSource) => Partial<ConfigSource>,
])[] = [
  [
    'loading',
    'loads once',
    (source) => {
      let first: Promise<ConfigTree> | undefined
      return { load: () => (first ??= source.load()) }
    },
  ],
  [
    'loading',
    'makes all values strings',
    (source) => ({
      load: async () => ({
        values: JSON.parse(
          JSON.stringify((await source.load()).values, (_, value) =>
            typeof value === 'number' ? String(value) : value,
          ),
        ),
      }),
    }),
  ],
  [
    'loading',
    'invents origins',
    (source) => ({
      load: async () => ({ ...(await source.load()), origins: { 'not.there': 'x' } }),
    }),
  ],
  [
    'watching',
    'begins with the first change',
    (source) => ({
      async *watch(options) {
        let first = true
        for await (const tree of source.watch?.(options) ?? []) {
          if (!first) yield tree
          first = false
        }
      },
    }),
  ],
  [
    'watching',
    'tells of the first change only',
    (source) => ({
      async *watch(options) {
        let left = 2
        for await (const tree of source.watch?.(options) ?? []) {
          if (left-- > 0) yield tree
        }
      },
    }),
  ],
  [
    'watching',
    'does not end',
    (source) => ({
      async *watch(options) {
        yield* source.watch?.(options) ?? []
        await never()
      },
    }),
  ],
  ['lifecycle', 'goes on after close', () => ({ load: async () => ({ values: {} }) })],
]

describe('a config source that', () => {
  test.each(broken)('%s: %s, is caught', async (name, _what, breakIt) => {
    const places = objectPlaces()
    const options: ConfigSuiteOptions = {
      name: 'broken',
      write: places.write,
      create(scope) {
        const source = places.create(scope)
        return { ...source, ...breakIt(source) }
      },
    }
    const trait = configTraits(options).find((one) => one.name === name)
    expect(await failuresOf(trait, options)).not.toEqual([])
  })
})
