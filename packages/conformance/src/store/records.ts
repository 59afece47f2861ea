import type { Store } from '@micro/core/store'
import { expect } from 'vitest'
import { newScope } from '../kit/harness.ts'
import type { Trait } from '../kit/trait.ts'
import { bytesOf, keysOf, readText } from './bytes.ts'

const everyByte = Uint8Array.from({ length: 256 }, (_, at) => at)

const values: readonly (readonly [string, Uint8Array])[] = [
  ['empty', new Uint8Array()],
  ['of every byte', everyByte],
  ['that look like JSON', bytesOf('{"a":1}')],
  ['of a mebibyte', new Uint8Array(2 ** 20).fill(7)],
]

const keys: readonly string[] = [
  'a',
  'a/b//c/',
  '..',
  ' ',
  '%2F%00',
  '*?[]',
  'ключ/鍵/🔑',
  'A'.repeat(512),
  '__proto__',
  'constructor',
  "'; drop table records; --",
]

export const records: Trait<Store> = {
  name: 'records',
  cases: [
    {
      name: 'a key that is not there reads as undefined, and deletes as false',
      run: async (harness) => {
        const store = await harness.open()
        expect(await store.read('nothing')).toBeUndefined()
        expect(await store.delete('nothing')).toBe(false)
      },
    },
    {
      name: 'what one instance writes another reads, replaces and deletes',
      run: async (harness) => {
        const one = await harness.open()
        const two = await harness.open()
        await one.write('a', bytesOf('1'))
        expect(await readText(two, 'a')).toBe('1')
        await two.write('a', bytesOf('2'))
        expect(await readText(one, 'a')).toBe('2')
        expect(await two.delete('a')).toBe(true)
        expect(await one.read('a')).toBeUndefined()
        expect(await one.delete('a')).toBe(false)
      },
    },
    {
      name: 'another scope sees nothing of it',
      run: async (harness) => {
        const here = await harness.open()
        const there = await harness.open(newScope())
        await here.write('a', bytesOf('here'))
        expect(await there.read('a')).toBeUndefined()
        expect(await keysOf(there)).toEqual([])
        await there.write('a', bytesOf('there'))
        expect(await readText(here, 'a')).toBe('here')
      },
    },
    ...values.map(([what, value]) => ({
      name: `values ${what} come back as they were`,
      run: async (harness: Parameters<Trait<Store>['cases'][number]['run']>[0]) => {
        const store = await harness.open()
        await store.write('a', value)
        expect(Buffer.from((await store.read('a'))?.value ?? []).equals(value)).toBe(true)
      },
    })),
    {
      name: 'every key is its own, however odd',
      run: async (harness) => {
        const store = await harness.open()
        for (const [at, key] of keys.entries()) await store.write(key, bytesOf(String(at)))
        for (const [at, key] of keys.entries()) expect(await readText(store, key)).toBe(String(at))
        expect((await keysOf(store)).sort()).toEqual([...keys].sort())
      },
    },
    {
      name: 'metadata comes back, and goes with a write that has none',
      run: async (harness) => {
        const store = await harness.open()
        const metadata = { type: 'text/plain', 'имя 🔑': 'значение', __proto__x: '' }
        await store.write('a', bytesOf('1'), { metadata })
        expect((await store.read('a'))?.metadata).toEqual(metadata)
        await store.write('a', bytesOf('2'))
        expect((await store.read('a'))?.metadata).toEqual({})
      },
    },
    {
      name: 'neither side shares its bytes with the store',
      run: async (harness) => {
        const store = await harness.open()
        // `slice` of a Node `Buffer` copies nothing.
        for (const mine of [bytesOf('abc'), Buffer.from('abc')]) {
          await store.write('a', mine)
          mine.fill(0)
          const first = await store.read('a')
          expect(new TextDecoder().decode(first?.value)).toBe('abc')
          first?.value.fill(0)
          expect(await readText(store, 'a')).toBe('abc')
        }
      },
    },
  ],
}
