import type { Store } from '@micro/core/store'
import { expect } from 'vitest'
import { expectCode } from '../kit/lifecycle.ts'
import type { Trait } from '../kit/trait.ts'
import { bytesOf, readText } from './bytes.ts'

export const conditions: Trait<Store> = {
  name: 'versions and conditions',
  cases: [
    {
      name: 'a write returns the version that a read then shows',
      run: async (harness) => {
        const store = await harness.open()
        const first = await store.write('a', bytesOf('1'))
        expect((await store.read('a'))?.version).toBe(first)
        const second = await store.write('a', bytesOf('1'))
        expect(second).not.toBe(first)
        expect((await store.read('a'))?.version).toBe(second)
      },
    },
    {
      name: 'ifVersion writes over that version only',
      run: async (harness) => {
        const store = await harness.open()
        const first = await store.write('a', bytesOf('1'))
        const second = await store.write('a', bytesOf('2'), { ifVersion: first })
        await expectCode(store.write('a', bytesOf('3'), { ifVersion: first }), 'aborted')
        expect(await readText(store, 'a')).toBe('2')
        expect((await store.read('a'))?.version).toBe(second)
      },
    },
    {
      name: 'ifVersion does not create',
      run: async (harness) => {
        const store = await harness.open()
        const version = await store.write('a', bytesOf('1'))
        await store.delete('a')
        await expectCode(store.write('a', bytesOf('2'), { ifVersion: version }), 'aborted')
        await expectCode(store.delete('a', { ifVersion: version }), 'aborted')
        expect(await store.read('a')).toBeUndefined()
      },
    },
    {
      name: 'a version does not come back with its key',
      run: async (harness) => {
        const store = await harness.open()
        const seen = new Set<string>()
        for (let round = 0; round < 5; round++) {
          seen.add(await store.write('a', bytesOf('1'), { ifAbsent: true }))
          await store.delete('a')
        }
        expect(seen.size).toBe(5)
      },
    },
    {
      name: 'ifAbsent creates once',
      run: async (harness) => {
        const store = await harness.open()
        await store.write('a', bytesOf('1'), { ifAbsent: true })
        await expectCode(store.write('a', bytesOf('2'), { ifAbsent: true }), 'already_exists')
        expect(await readText(store, 'a')).toBe('1')
      },
    },
    {
      name: 'delete with ifVersion deletes that version only',
      run: async (harness) => {
        const store = await harness.open()
        const first = await store.write('a', bytesOf('1'))
        const second = await store.write('a', bytesOf('2'))
        await expectCode(store.delete('a', { ifVersion: first }), 'aborted')
        expect(await store.delete('a', { ifVersion: second })).toBe(true)
      },
    },
    {
      name: 'both conditions at once are refused',
      run: async (harness) => {
        const store = await harness.open()
        const write = store.write('a', bytesOf('1'), { ifAbsent: true, ifVersion: '1' })
        const error = await expectCode(write, 'invalid_argument')
        expect(error.detail).toContain('ifVersion')
      },
    },
  ],
}
