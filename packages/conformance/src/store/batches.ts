import type { Store, StoreOperation } from '@micro/core/store'
import { expect } from 'vitest'
import { expectCode } from '../kit/lifecycle.ts'
import type { Case, Trait } from '../kit/trait.ts'
import { bytesOf, keysOf, readText } from './bytes.ts'

type Commit = NonNullable<Store['commit']>

function batchCase(
  name: string,
  run: (store: Store, commit: Commit) => Promise<void>,
): Case<Store> {
  return {
    name,
    supported: (store) => store.supports.commit,
    run: async (harness) => {
      const store = await harness.open()
      expect(store.commit, 'commit is there').toBeTypeOf('function')
      await run(store, (operations, options) => (store.commit as Commit)(operations, options))
    },
    absent: async (harness) => {
      expect((await harness.open()).commit).toBeUndefined()
    },
  }
}

const write = (key: string, value: string, more: object = {}): StoreOperation => ({
  type: 'write',
  key,
  value: bytesOf(value),
  ...more,
})

export const batches: Trait<Store> = {
  name: 'batches',
  cases: [
    batchCase('all operations take place, with a version for each write', async (store, commit) => {
      await store.write('gone', bytesOf('1'))
      const old = await store.write('old', bytesOf('1'))
      const versions = await commit([
        write('new', '1', { ifAbsent: true, metadata: { m: 'x' }, ttl: 60_000 }),
        write('old', '2', { ifVersion: old }),
        { type: 'delete', key: 'gone' },
        { type: 'check', key: 'never', ifAbsent: true },
      ])
      expect(versions).toHaveLength(4)
      expect(versions.slice(2)).toEqual([undefined, undefined])
      expect((await store.read('new'))?.version).toBe(versions[0])
      expect((await store.read('new'))?.metadata).toEqual({ m: 'x' })
      expect((await store.read('new'))?.expiresAt).toBeDefined()
      expect((await store.read('old'))?.version).toBe(versions[1])
      expect(await keysOf(store)).toEqual(['new', 'old'])
    }),
    batchCase('one condition that fails leaves all as it was', async (store, commit) => {
      const version = await store.write('b', bytesOf('1'))
      await store.write('b', bytesOf('2'))
      const stale: readonly StoreOperation[] = [
        write('b', '3', { ifVersion: version }),
        { type: 'delete', key: 'b', ifVersion: version },
        { type: 'check', key: 'b', ifVersion: version },
      ]
      for (const operation of stale) {
        const error = await expectCode(commit([write('a', '1'), operation]), 'aborted')
        expect(error.detail).toContain('b"')
      }
      const there: readonly StoreOperation[] = [
        write('b', '3', { ifAbsent: true }),
        { type: 'check', key: 'b', ifAbsent: true },
      ]
      for (const operation of there) {
        await expectCode(commit([write('a', '1'), operation]), 'already_exists')
      }
      expect(await keysOf(store)).toEqual(['b'])
      expect(await readText(store, 'b')).toBe('2')
    }),
    batchCase('a hundred operations fit, none and more do not', async (store, commit) => {
      const many = Array.from({ length: 101 }, (_, at) => write(`k${at}`, '1'))
      await expectCode(commit([]), 'invalid_argument')
      await expectCode(commit(many), 'invalid_argument')
      expect(await keysOf(store)).toEqual([])
      await commit(many.slice(1))
      expect(await keysOf(store)).toHaveLength(100)
    }),
    batchCase('a key named twice is refused', async (store, commit) => {
      const twice = commit([write('a', '1'), { type: 'delete', key: 'a' }])
      const error = await expectCode(twice, 'invalid_argument')
      expect(error.detail).toContain('operations[1].key')
      expect(await store.read('a')).toBeUndefined()
    }),
    batchCase('transfers by many at once keep the sum', async (store, commit) => {
      await store.write('a', bytesOf('100'))
      await store.write('b', bytesOf('100'))
      const transfer = async (): Promise<void> => {
        // Not for ever: a store that never lets it in is broken.
        for (let attempt = 0; attempt < 1_000; attempt++) {
          const [a, b] = await Promise.all([store.read('a'), store.read('b')])
          if (a === undefined || b === undefined) throw new Error('a record is missing')
          const amount = [
            Number(new TextDecoder().decode(a.value)),
            Number(new TextDecoder().decode(b.value)),
          ]
          try {
            await commit([
              write('a', String((amount[0] as number) - 1), { ifVersion: a.version }),
              write('b', String((amount[1] as number) + 1), { ifVersion: b.version }),
            ])
            return
          } catch (error) {
            expect(error).toMatchObject({ code: 'aborted' })
          }
        }
        throw new Error('a thousand tries, and each met another')
      }
      await Promise.all(Array.from({ length: 8 }, transfer))
      expect([await readText(store, 'a'), await readText(store, 'b')]).toEqual(['92', '108'])
    }),
  ],
}
