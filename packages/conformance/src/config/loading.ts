import type { ConfigSource, ConfigValues } from '@micro/core/config'
import { expect } from 'vitest'
import { newScope } from '../kit/harness.ts'
import type { Trait } from '../kit/trait.ts'
import type { ConfigSuiteOptions } from './options.ts'

const typed: ConfigValues = {
  server: { port: 8080, host: '::1', tls: { enabled: false } },
  ratio: 0.25,
  tags: ['a', 'b'],
  motto: 'Zürich — 鍵 🔑 = "quoted" # no comment',
  empty: '',
}
const strings: ConfigValues = {
  server: { port: '8080', host: '::1' },
  motto: 'Zürich — 鍵 🔑 = "quoted"',
}

export function loading({ write, stringsOnly }: ConfigSuiteOptions): Trait<ConfigSource> {
  const sample = stringsOnly === true ? strings : typed
  return {
    name: 'loading',
    cases: [
      {
        name: 'what is there is loaded as it was written, by every instance',
        run: async (harness) => {
          await write(harness.scope, sample)
          for (const source of [await harness.open(), await harness.open()]) {
            expect((await source.load()).values).toEqual(sample)
          }
        },
      },
      {
        name: 'another scope says its own',
        run: async (harness) => {
          const elsewhere = newScope()
          await write(harness.scope, { a: 'here' })
          await write(elsewhere, { a: 'there' })
          expect((await (await harness.open()).load()).values).toEqual({ a: 'here' })
          expect((await (await harness.open(elsewhere)).load()).values).toEqual({ a: 'there' })
        },
      },
      {
        name: 'a later load says what was changed meanwhile, and no longer what was removed',
        run: async (harness) => {
          await write(harness.scope, { a: '1', b: '1' })
          const source = await harness.open()
          await source.load()
          await write(harness.scope, { a: '2' })
          const reader = source.watch === undefined ? await harness.open() : source
          expect((await reader.load()).values).toEqual({ a: '2' })
        },
      },
      {
        name: 'origins are texts, of paths that are there',
        run: async (harness) => {
          await write(harness.scope, sample)
          const { origins = {}, values } = await (await harness.open()).load()
          for (const [path, origin] of Object.entries(origins)) {
            expect(origin, path).toMatch(/\S/)
            let found: unknown = values
            for (const key of path === '' ? [] : path.split('.')) {
              found = (found as Record<string, unknown>)[key]
            }
            expect(found, path).toBeDefined()
          }
        },
      },
      {
        name: 'a reader that changes a tree changes nothing for the next',
        run: async (harness) => {
          await write(harness.scope, { a: { b: '1' } })
          const source = await harness.open()
          const first = (await source.load()).values as { a: { b: string } }
          try {
            first.a.b = 'changed'
          } catch {
            // Frozen: as good.
          }
          expect((await source.load()).values).toEqual({ a: { b: '1' } })
        },
      },
    ],
  }
}
