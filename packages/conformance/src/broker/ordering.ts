import type { Broker, Delivery } from '@micro/core/broker'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'
import { message, numbers, openInbox, textsOf } from './inbox.ts'

export const ordering: Trait<Broker> = {
  name: 'ordering',
  cases: [
    {
      name: 'messages of one key keep their order, over members and through retries',
      supported: (broker) => broker.supports.ordering,
      run: async (harness) => {
        const keys = ['a', 'b', 'c', 'd']
        const perKey = 20
        const handled = new Map<string, string[]>(keys.map((key) => [key, []]))
        const all = Promise.withResolvers<void>()
        const failed = new Set<string>()
        let count = 0
        const settle = (delivery: Delivery) => {
          const [text = ''] = textsOf([delivery])
          const key = delivery.key ?? ''
          // Every fifth fails the first time.
          if (Number(text) % 5 === 0 && !failed.has(`${key}${text}`)) {
            failed.add(`${key}${text}`)
            return { retryAfter: 5 }
          }
          handled.get(key)?.push(text)
          count += 1
          if (count === keys.length * perKey) all.resolve()
          return 'ack' as const
        }
        const canFail = (await harness.open()).supports.redelivery
        if (!canFail)
          for (const key of keys) for (const text of numbers(perKey)) failed.add(key + text)
        for (let member = 0; member < 2; member++) {
          await openInbox(await harness.open(), 'a', { group: 'g', batch: 3 }, settle)
        }
        const publisher = await harness.open()
        for (const text of numbers(perKey)) {
          await publisher.publish(
            'a',
            keys.map((key) => message(text, { key })),
          )
        }
        await all.promise
        for (const texts of handled.values()) expect(texts).toEqual(numbers(perKey))
      },
    },
    {
      name: 'the next of a lane comes only when the one before is settled',
      run: async (harness) => {
        const broker = await harness.open()
        const running = new Map<string, number>()
        const all = Promise.withResolvers<void>()
        let count = 0
        let most = 0
        await broker.subscribe(
          'a',
          async (lane, batch) => {
            running.set(lane, (running.get(lane) ?? 0) + 1)
            most = Math.max(most, running.get(lane) ?? 0)
            await new Promise((resolve) => setImmediate(resolve))
            running.set(lane, (running.get(lane) ?? 0) - 1)
            count += batch.length
            if (count === 60) all.resolve()
            return batch.map(() => 'ack')
          },
          { group: 'g' },
        )
        await broker.publish(
          'a',
          numbers(60).map((text, at) => message(text, { key: `k${at % 6}` })),
        )
        await all.promise
        expect(most).toBe(1)
      },
    },
  ],
}
