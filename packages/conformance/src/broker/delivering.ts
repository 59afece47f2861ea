import type { Broker } from '@micro/core/broker'
import { expect } from 'vitest'
import { newScope } from '../kit/harness.ts'
import type { Trait } from '../kit/trait.ts'
import { message, numbers, openInbox, textsOf } from './inbox.ts'

const everyByte = Uint8Array.from({ length: 256 }, (_, at) => at)

export const delivering: Trait<Broker> = {
  name: 'delivering',
  cases: [
    {
      name: 'body, key and headers arrive as they were published, by another instance',
      run: async (harness) => {
        const inbox = await openInbox(await harness.open(), 'a', { group: 'g' })
        const headers = { traceparent: '00-1-2-01', 'x-empty': '', 'x-odd': ' a=b; "c" ' }
        const publisher = await harness.open()
        await publisher.publish('a', [{ body: everyByte, key: 'ключ 🔑', headers }])
        const [delivery] = await inbox.received(1)
        expect(delivery).toMatchObject({ key: 'ключ 🔑', headers })
        expect(Object.keys(delivery?.headers ?? {}).sort()).toEqual(Object.keys(headers).sort())
        expect(Buffer.from(delivery?.body ?? []).equals(everyByte)).toBe(true)
      },
    },
    {
      name: 'empty and large bodies, and no key',
      run: async (harness) => {
        const broker = await harness.open()
        const inbox = await openInbox(broker, 'a', { group: 'g' })
        const large = new Uint8Array(500_000).fill(7)
        await broker.publish('a', [message('')])
        await inbox.received(1)
        await broker.publish('a', [{ body: large, headers: {} }])
        const [first, second] = await inbox.received(2)
        expect(first?.body.length).toBe(0)
        expect(first?.key).toBeUndefined()
        expect(Buffer.from(second?.body ?? []).equals(large)).toBe(true)
      },
    },
    {
      name: 'a publisher may use its bytes again once they are published',
      run: async (harness) => {
        const broker = await harness.open()
        const inbox = await openInbox(broker, 'a', { group: 'g' })
        // `slice` of a Node `Buffer` copies nothing.
        for (const [at, body] of [new TextEncoder().encode('0'), Buffer.from('1')].entries()) {
          await broker.publish('a', [{ body, headers: {} }])
          body.fill(0)
          expect(textsOf(await inbox.received(at + 1)).at(-1)).toBe(String(at))
        }
      },
    },
    {
      name: 'a batch of publishing arrives whole; ids are unique; attempts count from one',
      run: async (harness) => {
        const broker = await harness.open()
        const inbox = await openInbox(broker, 'a', { group: 'g' })
        await broker.publish('a', [])
        await broker.publish(
          'a',
          numbers(50).map((text) => message(text)),
        )
        const deliveries = await inbox.received(50)
        expect(textsOf(deliveries).sort()).toEqual(numbers(50).sort())
        expect(new Set(deliveries.map(({ id }) => id)).size).toBe(50)
        for (const { attempt } of deliveries) {
          expect(attempt).toBe(broker.supports.deliveryCount ? 1 : undefined)
        }
      },
    },
    {
      name: 'topics and scopes are apart',
      run: async (harness) => {
        const broker = await harness.open()
        const elsewhere = await harness.open(newScope())
        const inbox = await openInbox(broker, 'a', { group: 'g' })
        await elsewhere.publish('a', [message('elsewhere')])
        await broker.publish('a.b', [message('other topic')])
        await broker.publish('A', [message('other case')])
        await broker.publish('a', [message('mine')])
        expect(textsOf(await inbox.received(1))).toEqual(['mine'])
      },
    },
    {
      name: 'batches of deliveries are no larger than asked for',
      run: async (harness) => {
        const broker = await harness.open()
        const sizes: number[] = []
        const all = Promise.withResolvers<void>()
        let count = 0
        await broker.subscribe(
          'a',
          async (_lane, batch) => {
            sizes.push(batch.length)
            count += batch.length
            if (count === 40) all.resolve()
            return batch.map(() => 'ack')
          },
          { group: 'g', batch: 7 },
        )
        await broker.publish(
          'a',
          numbers(40).map((text) => message(text, { key: 'k' })),
        )
        await all.promise
        expect(Math.max(...sizes)).toBeLessThanOrEqual(7)
        expect(Math.min(...sizes)).toBeGreaterThan(0)
      },
    },
    {
      name: 'neither side shares its bytes with the broker',
      run: async (harness) => {
        const broker = await harness.open()
        const inbox = await openInbox(broker, 'a', { group: 'g' })
        const body = new TextEncoder().encode('abc')
        await broker.publish('a', [{ body, headers: {} }])
        body.fill(0)
        expect(textsOf(await inbox.received(1))).toEqual(['abc'])
      },
    },
    {
      name: 'what a handler does to a body reaches neither another group nor a retry',
      run: async (harness) => {
        const broker = await harness.open()
        const times = broker.supports.redelivery ? 2 : 1
        const texts: string[] = []
        const all = Promise.withResolvers<void>()
        for (const group of ['g1', 'g2']) {
          await openInbox(broker, 'a', { group }, (delivery, at) => {
            texts.push(...textsOf([delivery]))
            delivery.body.fill(0)
            if (texts.length === 2 * times) all.resolve()
            return at + 1 < times ? { retryAfter: 1 } : 'ack'
          })
        }
        await broker.publish('a', [message('abc')])
        await all.promise
        expect(new Set(texts)).toEqual(new Set(['abc']))
      },
    },
  ],
}
