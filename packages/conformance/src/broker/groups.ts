import type { Broker } from '@micro/core/broker'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'
import { message, numbers, openInbox, textsOf } from './inbox.ts'

export const groups: Trait<Broker> = {
  name: 'groups',
  cases: [
    {
      name: 'each message reaches one subscription of a group, of any instance',
      run: async (harness) => {
        const all = Promise.withResolvers<void>()
        const seen: string[] = []
        for (let member = 0; member < 3; member++) {
          await openInbox(await harness.open(), 'a', { group: 'g' }, (delivery) => {
            seen.push(...textsOf([delivery]))
            if (seen.length === 60) all.resolve()
            return 'ack'
          })
        }
        const publisher = await harness.open()
        for (const text of numbers(60)) await publisher.publish('a', [message(text, { key: text })])
        await all.promise
        expect([...seen].sort()).toEqual(numbers(60).sort())
      },
    },
    {
      name: 'every group gets every message',
      run: async (harness) => {
        const broker = await harness.open()
        const inboxes = [
          await openInbox(broker, 'a', { group: 'g1' }),
          await openInbox(broker, 'a', { group: 'g2' }),
        ]
        await broker.publish(
          'a',
          numbers(10).map((text) => message(text)),
        )
        for (const inbox of inboxes) {
          expect(textsOf(await inbox.received(10)).sort()).toEqual(numbers(10))
        }
      },
    },
    {
      name: 'without a group each subscription gets all, from when it is open',
      run: async (harness) => {
        const broker = await harness.open()
        await broker.publish('a', [message('before')])
        const inboxes = [await openInbox(broker, 'a'), await openInbox(await harness.open(), 'a')]
        await broker.publish('a', [message('now')])
        for (const inbox of inboxes) expect(textsOf(await inbox.received(1))).toEqual(['now'])
      },
    },
    {
      name: 'a group that exists is kept what comes while nobody is there',
      supported: (broker) => broker.supports.retained,
      run: async (harness) => {
        const first = await harness.open()
        const inbox = await openInbox(first, 'a', { group: 'g' })
        await first.publish('a', [message('1')])
        await inbox.received(1)
        await inbox.subscription.close()
        await first.publish('a', [message('2'), message('3')])
        const later = await openInbox(await harness.open(), 'a', { group: 'g' })
        expect(textsOf(await later.received(2)).sort()).toEqual(['2', '3'])
      },
      absent: async (harness) => {
        const broker = await harness.open()
        const inbox = await openInbox(broker, 'a', { group: 'g' })
        await inbox.subscription.close()
        await broker.publish('a', [message('lost')])
        const later = await openInbox(broker, 'a', { group: 'g' })
        await broker.publish('a', [message('seen')])
        expect(textsOf(await later.received(1))).toEqual(['seen'])
      },
    },
  ],
}
