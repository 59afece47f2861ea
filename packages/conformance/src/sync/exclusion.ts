import { sleep } from '@micro/core/component'
import type { Lock, Sync } from '@micro/core/sync'
import { expect } from 'vitest'
import { newScope } from '../kit/harness.ts'
import { expectCode } from '../kit/lifecycle.ts'
import type { Trait } from '../kit/trait.ts'

export function exclusion(ttl: number): Trait<Sync> {
  return {
    name: 'exclusion',
    cases: [
      {
        name: 'while one holds a lock no other does, of this instance or another',
        run: async (harness) => {
          const one = await harness.open()
          const two = await harness.open()
          const lock = await one.lock('a', { ttl })
          for (const sync of [one, two]) {
            const error = await expectCode(sync.lock('a', { ttl, wait: 0 }), 'aborted')
            expect(error.detail).toContain('"a"')
          }
          await lock.release()
          expect((await two.lock('a', { ttl, wait: 0 })).key).toBe('a')
        },
      },
      {
        name: 'keys and scopes are independent; odd keys too',
        run: async (harness) => {
          const sync = await harness.open()
          const elsewhere = await harness.open(newScope())
          for (const key of ['a', 'a/b', 'A', 'ключ 🔑', '../a', '%', 'x'.repeat(255)]) {
            await sync.lock(key, { ttl, wait: 0 })
            await elsewhere.lock(key, { ttl, wait: 0 })
          }
        },
      },
      {
        name: 'under contention by instances at most one is inside, and tokens only grow',
        run: async (harness) => {
          const syncs = await Promise.all(Array.from({ length: 4 }, () => harness.open()))
          const tokens: bigint[] = []
          let inside = 0
          const enter = async (sync: Sync): Promise<void> => {
            for (let round = 0; round < 5; round++) {
              await using lock = await sync.lock('a', { ttl: ttl * 10 })
              inside += 1
              expect(inside).toBe(1)
              tokens.push(lock.token)
              await sleep(1, { keepAlive: true })
              expect(lock.lost.aborted).toBe(false)
              inside -= 1
            }
          }
          await Promise.all(syncs.map(enter))
          expect(tokens).toHaveLength(20)
          expectGrowing(tokens)
        },
      },
      {
        name: 'tokens outlive the key and the instances',
        run: async (harness) => {
          const tokens: bigint[] = []
          for (let round = 0; round < 3; round++) {
            const sync = await harness.open()
            tokens.push((await sync.lock('a', { ttl })).token)
            await sync.close()
          }
          expectGrowing(tokens)
        },
      },
      {
        name: 'release twice is no error, and frees nobody else’s lock',
        run: async (harness) => {
          const sync = await harness.open()
          const first = await sync.lock('a', { ttl })
          await first.release()
          const second: Lock = await sync.lock('a', { ttl })
          await first.release()
          await first[Symbol.asyncDispose]()
          await expectCode(sync.lock('a', { ttl, wait: 0 }), 'aborted')
          expect(first.lost.aborted).toBe(false)
          expect(second.lost.aborted).toBe(false)
        },
      },
      ...['', 'x'.repeat(256), 'a\0', '\ud800'].map((key, at) => ({
        name: `a key that not every backend takes is refused (${at + 1})`,
        run: async (harness: Parameters<Trait<Sync>['cases'][number]['run']>[0]) => {
          const error = await expectCode((await harness.open()).lock(key), 'invalid_argument')
          expect(error.detail).toContain('key')
        },
      })),
      {
        name: 'a wrong ttl or wait is refused by its name',
        run: async (harness) => {
          const sync = await harness.open()
          for (const wrong of [{ ttl: 0 }, { ttl: Number.NaN }, { wait: -1 }]) {
            const error = await expectCode(sync.lock('a', wrong), 'invalid_argument')
            expect(error.detail).toContain(Object.keys(wrong)[0])
          }
        },
      },
    ],
  }
}

export function expectGrowing(tokens: readonly bigint[]): void {
  for (let at = 1; at < tokens.length; at++) {
    expect(tokens[at], `token ${at}`).toBeGreaterThan(tokens[at - 1] as bigint)
  }
}
