import type { Store } from '@micro/core/store'
import { expect } from 'vitest'
import { expectCode } from '../kit/lifecycle.ts'
import type { Trait } from '../kit/trait.ts'
import { bytesOf, keysOf } from './bytes.ts'

const badKeys: readonly (readonly [string, string])[] = [
  ['an empty key', ''],
  ['a key of 1025 bytes', 'x'.repeat(1_025)],
  ['a key of 342 characters of three bytes', '鍵'.repeat(342)],
  ['half of a surrogate pair', 'a\ud800'],
  ['the character U+0000', 'a\0b'],
]

export const limits: Trait<Store> = {
  name: 'limits',
  cases: [
    ...badKeys.map(([what, key]) => ({
      name: `${what} is refused by every method`,
      run: async (harness: Parameters<Trait<Store>['cases'][number]['run']>[0]) => {
        const store = await harness.open()
        const uses = [
          () => store.read(key),
          () => store.write(key, bytesOf('1')),
          () => store.delete(key),
        ]
        for (const use of uses) {
          expect((await expectCode(use(), 'invalid_argument')).detail).toContain('key')
        }
        expect(await keysOf(store)).toEqual([])
      },
    })),
    {
      name: 'a key of 512 bytes works, in a store within a store too',
      run: async (harness) => {
        const store = await harness.open()
        const key = `${'鍵'.repeat(170)}ab`
        await store.write(key, bytesOf('1'))
        expect(await keysOf(store, { prefix: '鍵' })).toEqual([key])
      },
    },
    {
      name: 'more than 4 KiB of metadata is refused',
      run: async (harness) => {
        const store = await harness.open()
        const write = (length: number) =>
          store.write('a', bytesOf('1'), { metadata: { m: 'x'.repeat(length) } })
        const error = await expectCode(write(4_096), 'invalid_argument')
        expect(error.detail).toContain('metadata')
        await write(4_095)
      },
    },
  ],
}
