import type { Store } from '@micro/core/store'
import { expect } from 'vitest'
import { expectCode } from '../kit/lifecycle.ts'
import type { Trait } from '../kit/trait.ts'
import { bytesOf, keysOf, textOf, writeAll } from './bytes.ts'

/** In order of UTF-8 bytes; `<` of JavaScript would put the last before the one ahead of it. */
const ordered = ['A', 'a', 'a!', 'a/', 'a/b', 'aa', 'b', 'é', 'я', '鍵', '\uffee', '🔑']

export const listing: Trait<Store> = {
  name: 'listing',
  cases: [
    {
      name: 'keys come in the order of their UTF-8 bytes',
      run: async (harness) => {
        const store = await harness.open()
        await writeAll(store, [...ordered].reverse())
        expect(await keysOf(store)).toEqual(ordered)
      },
    },
    {
      name: 'a prefix takes keys that begin with it, character by character',
      run: async (harness) => {
        const store = await harness.open()
        await writeAll(store, ['a', 'a%b', 'a_b', 'ab', 'a/b', 'a\\b', 'b', 'ÿ', '🔑', '🔑a'])
        expect(await keysOf(store, { prefix: 'a' })).toEqual([
          'a',
          'a%b',
          'a/b',
          'a\\b',
          'a_b',
          'ab',
        ])
        expect(await keysOf(store, { prefix: 'a%' })).toEqual(['a%b'])
        expect(await keysOf(store, { prefix: 'a_' })).toEqual(['a_b'])
        expect(await keysOf(store, { prefix: 'a\\' })).toEqual(['a\\b'])
        expect(await keysOf(store, { prefix: '🔑' })).toEqual(['🔑', '🔑a'])
        expect(await keysOf(store, { prefix: 'c' })).toEqual([])
      },
    },
    {
      name: 'limit and after page through without gap or repeat',
      run: async (harness) => {
        const store = await harness.open()
        const keys = Array.from({ length: 25 }, (_, at) => `k${String(at).padStart(3, '0')}`)
        await writeAll(store, [...keys, 'a', 'z'])
        for (let from = 0; from <= keys.length; from += 7) {
          const after = keys[from - 1]
          const page = await keysOf(store, { prefix: 'k', limit: 7, after })
          expect(page).toEqual(keys.slice(from, from + 7))
        }
        expect(await keysOf(store, { limit: 0 })).toEqual([])
      },
    },
    {
      name: 'after need not exist, and may lie outside the prefix',
      run: async (harness) => {
        const store = await harness.open()
        await writeAll(store, ['k1', 'k3', 'm'])
        expect(await keysOf(store, { after: 'k2' })).toEqual(['k3', 'm'])
        expect(await keysOf(store, { prefix: 'k', after: 'a' })).toEqual(['k1', 'k3'])
        expect(await keysOf(store, { prefix: 'k', after: 'k' })).toEqual(['k1', 'k3'])
        expect(await keysOf(store, { prefix: 'k', after: 'l' })).toEqual([])
      },
    },
    {
      name: 'records are whole, and empty of values with keysOnly',
      run: async (harness) => {
        const store = await harness.open()
        const version = await store.write('a', bytesOf('1'), { metadata: { m: 'x' } })
        const [whole] = await Array.fromAsync(store.list())
        expect(whole).toMatchObject({ key: 'a', version, metadata: { m: 'x' } })
        expect(textOf(whole?.value)).toBe('1')
        const [bare] = await Array.fromAsync(store.list({ keysOnly: true }))
        expect(bare).toMatchObject({ key: 'a', version })
        expect(bare?.value.length).toBe(0)
      },
    },
    {
      name: 'more than a page of any backend comes whole and in order',
      run: async (harness) => {
        const store = await harness.open()
        const keys = Array.from({ length: 1_200 }, (_, at) => `k${String(at).padStart(5, '0')}`)
        for (let at = 0; at < keys.length; at += 100) {
          await Promise.all(keys.slice(at, at + 100).map((key) => store.write(key, bytesOf('1'))))
        }
        expect(await keysOf(store)).toEqual(keys)
      },
    },
    {
      name: 'what is left after many were deleted comes whole',
      run: async (harness) => {
        const store = await harness.open()
        const keys = Array.from({ length: 400 }, (_, at) => `k${String(at).padStart(3, '0')}`)
        await Promise.all(keys.map((key) => store.write(key, bytesOf('1'))))
        await Promise.all(keys.slice(0, 300).map((key) => store.delete(key)))
        expect(await keysOf(store)).toEqual(keys.slice(300))
        expect(await keysOf(store, { limit: 10 })).toEqual(keys.slice(300, 310))
        expect(await keysOf(store, { after: 'k100', limit: 1 })).toEqual(['k300'])
      },
    },
    {
      name: 'a reader that breaks off can list again; changes meanwhile do not disturb',
      run: async (harness) => {
        const store = await harness.open()
        await writeAll(store, ['a', 'b', 'c', 'd'])
        for await (const record of store.list()) {
          expect(record.key).toBe('a')
          break
        }
        const seen: string[] = []
        for await (const { key } of store.list()) {
          seen.push(key)
          if (key === 'a') await store.delete('a')
          if (key === 'b') await store.write('b', bytesOf('new'))
        }
        expect(seen).toEqual(['a', 'b', 'c', 'd'])
        expect(await keysOf(store)).toEqual(['b', 'c', 'd'])
      },
    },
    {
      name: 'a wrong limit is refused',
      run: async (harness) => {
        const store = await harness.open()
        const error = await expectCode(keysOf(store, { limit: -1 }), 'invalid_argument')
        expect(error.detail).toContain('limit')
      },
    },
  ],
}
