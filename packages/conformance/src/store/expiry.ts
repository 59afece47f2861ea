import { sleep } from '@micro/core/component'
import type { Store } from '@micro/core/store'
import { expect } from 'vitest'
import { expectCode } from '../kit/lifecycle.ts'
import type { Trait } from '../kit/trait.ts'
import { bytesOf, keysOf, readText } from './bytes.ts'

/** Long enough for a server to be slow, short enough to wait for. Some backends count seconds. */
const soon = 1_000

async function gone(store: Store, key: string): Promise<void> {
  const latest = Date.now() + soon + 3_000
  while ((await store.read(key)) !== undefined) {
    expect(Date.now(), `${key} goes in time`).toBeLessThan(latest)
    await sleep(50, { keepAlive: true })
  }
}

export const expiry: Trait<Store> = {
  name: 'expiry',
  cases: [
    {
      name: 'a record with a ttl says when it goes, and goes for readers and lists',
      run: async (harness) => {
        const store = await harness.open()
        const before = Date.now()
        await store.write('a', bytesOf('1'), { ttl: soon })
        await store.write('b', bytesOf('1'))
        const { expiresAt } = (await store.read('a')) ?? {}
        // A backend may round a ttl up to its unit, and its clock is its own; never down.
        expect(expiresAt).toBeGreaterThanOrEqual(before + soon - 500)
        expect(expiresAt).toBeLessThanOrEqual(Date.now() + soon + 2_000)
        await gone(store, 'a')
        expect(await keysOf(store)).toEqual(['b'])
        expect((await store.read('b'))?.expiresAt).toBeUndefined()
      },
    },
    {
      name: 'a record does not go before its time',
      run: async (harness) => {
        const store = await harness.open()
        const version = await store.write('a', bytesOf('1'), { ttl: 60_000 })
        await store.write('b', bytesOf('1'), { ttl: soon })
        await gone(store, 'b')
        expect((await store.read('a'))?.version).toBe(version)
      },
    },
    {
      name: 'a later write without a ttl makes the record stay',
      run: async (harness) => {
        const store = await harness.open()
        await store.write('a', bytesOf('1'), { ttl: soon })
        await store.write('b', bytesOf('1'), { ttl: soon })
        await store.write('a', bytesOf('2'))
        await gone(store, 'b')
        expect(await readText(store, 'a')).toBe('2')
      },
    },
    {
      name: 'a record that has gone is absent for conditions',
      run: async (harness) => {
        const store = await harness.open()
        const version = await store.write('a', bytesOf('1'), { ttl: soon })
        await gone(store, 'a')
        await expectCode(store.write('a', bytesOf('2'), { ifVersion: version }), 'aborted')
        await store.write('a', bytesOf('3'), { ifAbsent: true })
        expect(await store.delete('a')).toBe(true)
      },
    },
    ...[0, -1, Number.NaN].map((ttl) => ({
      name: `a ttl of ${ttl} is refused`,
      run: async (harness: Parameters<Trait<Store>['cases'][number]['run']>[0]) => {
        const store = await harness.open()
        const error = await expectCode(store.write('a', bytesOf('1'), { ttl }), 'invalid_argument')
        expect(error.detail).toContain('ttl')
        expect(await store.read('a')).toBeUndefined()
      },
    })),
  ],
}
