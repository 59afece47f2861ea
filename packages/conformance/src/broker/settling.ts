import type { Broker } from '@micro/core/broker'
import { expect } from 'vitest'
import type { Case, Trait } from '../kit/trait.ts'
import { message, openInbox, textsOf } from './inbox.ts'
import type { BrokerSuiteOptions } from './options.ts'

const redelivers = (broker: Broker): boolean => broker.supports.redelivery

/** Where nothing is redelivered, a failure is the end of the message. */
const notRedelivered: NonNullable<Case<Broker>['absent']> = async (harness) => {
  const broker = await harness.open()
  const inbox = await openInbox(broker, 'a', { group: 'g' }, (_, at) =>
    at === 0 ? { retryAfter: 1 } : 'ack',
  )
  await broker.publish('a', [message('lost')])
  await inbox.received(1)
  await broker.publish('a', [message('next')])
  expect(textsOf(await inbox.received(2))).toEqual(['lost', 'next'])
}

export function settling({ crash }: BrokerSuiteOptions): Trait<Broker> {
  return {
    name: 'settling',
    cases: [
      {
        name: 'what is to be retried comes again, the same, until it is acknowledged',
        supported: redelivers,
        run: async (harness) => {
          const broker = await harness.open()
          const inbox = await openInbox(broker, 'a', { group: 'g' }, (_, at) =>
            at < 2 ? { retryAfter: 10 } : 'ack',
          )
          await broker.publish('a', [message('1', { key: 'k', headers: { h: 'x' } })])
          const deliveries = await inbox.received(3)
          expect(textsOf(deliveries)).toEqual(['1', '1', '1'])
          expect(new Set(deliveries.map(({ id }) => id)).size).toBe(1)
          for (const one of deliveries) expect(one).toMatchObject({ key: 'k', headers: { h: 'x' } })
          if (broker.supports.deliveryCount) {
            expect(deliveries.map(({ attempt }) => attempt)).toEqual([1, 2, 3])
          }
          await broker.publish('a', [message('2', { key: 'k' })])
          expect(textsOf(await inbox.received(4)).at(-1)).toBe('2')
        },
        absent: notRedelivered,
      },
      {
        name: 'a delivery that throws comes again',
        supported: redelivers,
        run: async (harness) => {
          const broker = await harness.open()
          const inbox = await openInbox(broker, 'a', { group: 'g' }, (_, at) => {
            if (at === 0) throw new Error('broken')
            return 'ack'
          })
          await broker.publish('a', [message('1')])
          expect(textsOf(await inbox.received(2))).toEqual(['1', '1'])
        },
        absent: notRedelivered,
      },
      {
        name: 'dead and acknowledged ones do not come again',
        run: async (harness) => {
          const broker = await harness.open()
          const inbox = await openInbox(broker, 'a', { group: 'g' }, (_, at) =>
            at % 2 === 0 ? 'dead' : 'ack',
          )
          const key = { key: 'k' }
          await broker.publish('a', [message('1', key), message('2', key), message('3', key)])
          await inbox.received(3)
          await inbox.subscription.close()
          const later = await openInbox(broker, 'a', { group: 'g' })
          await broker.publish('a', [message('4', key)])
          expect(textsOf(await later.received(1))).toEqual(['4'])
        },
      },
      {
        name: 'of a batch, what was not settled comes again, in order',
        supported: redelivers,
        run: async (harness) => {
          const broker = await harness.open()
          const seen: string[][] = []
          const done = Promise.withResolvers<void>()
          const handled: string[] = []
          await broker.subscribe(
            'a',
            async (_lane, batch) => {
              seen.push(textsOf(batch))
              // One at a time, whatever the batch.
              handled.push(...textsOf(batch.slice(0, 1)))
              if (handled.length === 5) done.resolve()
              return ['ack']
            },
            { group: 'g', batch: 10 },
          )
          const texts = ['0', '1', '2', '3', '4']
          await broker.publish(
            'a',
            texts.map((text) => message(text, { key: 'k' })),
          )
          await done.promise
          expect(handled).toEqual(texts)
        },
        absent: notRedelivered,
      },
      {
        name: 'what a crashed consumer had in hand reaches another',
        supported: (broker) => redelivers(broker) && crash !== undefined,
        run: async (harness) => {
          const doomed = await harness.open()
          const taken = Promise.withResolvers<void>()
          await openInbox(doomed, 'a', { group: 'g' }, () => {
            taken.resolve()
            return new Promise(() => undefined)
          })
          const publisher = await harness.open()
          await publisher.publish('a', [message('1', { key: 'k' }), message('2', { key: 'k' })])
          await taken.promise
          await crash?.(doomed)
          const heir = await openInbox(await harness.open(), 'a', { group: 'g' })
          expect(textsOf(await heir.received(2))).toEqual(['1', '2'])
        },
      },
      {
        name: 'what a closed subscription had not yet taken reaches another',
        supported: (broker) => redelivers(broker) && broker.supports.retained,
        run: async (harness) => {
          const broker = await harness.open()
          const first = await openInbox(broker, 'a', { group: 'g' })
          first.subscription.pause()
          await broker.publish('a', [message('1')])
          await first.subscription.close()
          const second = await openInbox(await harness.open(), 'a', { group: 'g' })
          expect(textsOf(await second.received(1))).toEqual(['1'])
        },
      },
    ],
  }
}
