import { MicroError } from '@micro/core/errors'
import type { Store } from '@micro/core/store'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'
import { bytesOf, readText } from './bytes.ts'

const instances = 4
const increments = 10

/** Far more often than any store needs, and not for ever: a store that never lets it in is broken. */
const tries = 1_000

async function increment(store: Store): Promise<void> {
  for (let attempt = 0; attempt < tries; attempt++) {
    const found = await store.read('count')
    const count = Number(new TextDecoder().decode(found?.value ?? bytesOf('0')))
    try {
      await store.write(
        'count',
        bytesOf(String(count + 1)),
        found === undefined ? { ifAbsent: true } : { ifVersion: found.version },
      )
      return
    } catch (error) {
      const met = MicroError.is(error, 'aborted') || MicroError.is(error, 'already_exists')
      if (!met) throw error
    }
  }
  throw new Error(`${tries} tries, and each met another`)
}

export const concurrency: Trait<Store> = {
  name: 'concurrency',
  cases: [
    {
      name: `${instances} instances that each add ${increments} by compare-and-swap lose none`,
      run: async (harness) => {
        const stores = await Promise.all(Array.from({ length: instances }, () => harness.open()))
        await Promise.all(
          stores.map(async (store) => {
            for (let round = 0; round < increments; round++) await increment(store)
          }),
        )
        expect(await readText(stores[0] as Store, 'count')).toBe(String(instances * increments))
      },
    },
    {
      name: 'of many that create one key at once, exactly one does',
      run: async (harness) => {
        const stores = await Promise.all(Array.from({ length: instances }, () => harness.open()))
        const results = await Promise.allSettled(
          Array.from({ length: 20 }, (_, at) =>
            (stores[at % instances] as Store).write('a', bytesOf(String(at)), { ifAbsent: true }),
          ),
        )
        const won = results.filter(({ status }) => status === 'fulfilled')
        expect(won).toHaveLength(1)
        for (const result of results) {
          if (result.status === 'rejected') {
            expect(result.reason).toMatchObject({ code: 'already_exists' })
          }
        }
      },
    },
    {
      name: 'a hundred operations at once on one instance all take place',
      run: async (harness) => {
        const store = await harness.open()
        const keys = Array.from({ length: 100 }, (_, at) => `k${at}`)
        await Promise.all(keys.map((key) => store.write(key, bytesOf(key))))
        expect(await Promise.all(keys.map((key) => readText(store, key)))).toEqual(keys)
      },
    },
  ],
}
