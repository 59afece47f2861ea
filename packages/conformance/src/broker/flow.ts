import type { Broker } from '@micro/core/broker'
import { expect } from 'vitest'
import { outcomeOf } from '../kit/lifecycle.ts'
import type { Trait } from '../kit/trait.ts'
import { message, openInbox, textsOf } from './inbox.ts'

export const flow: Trait<Broker> = {
  name: 'flow',
  cases: [
    {
      name: 'a paused subscription gets nothing new, and all of it once resumed',
      run: async (harness) => {
        const broker = await harness.open()
        const paused = await openInbox(broker, 'a', { group: 'g' })
        const other = await openInbox(broker, 'a', { group: 'other' })
        paused.subscription.pause()
        await broker.publish('a', [message('1'), message('2')])
        await other.received(2)
        expect(paused.deliveries).toEqual([])
        paused.subscription.resume()
        expect(textsOf(await paused.received(2)).sort()).toEqual(['1', '2'])
      },
    },
    {
      name: 'close waits for what is being handled, and settles it',
      run: async (harness) => {
        const broker = await harness.open()
        const started = Promise.withResolvers<void>()
        const finish = Promise.withResolvers<void>()
        const inbox = await openInbox(broker, 'a', { group: 'g' }, async () => {
          started.resolve()
          await finish.promise
          return 'ack' as const
        })
        await broker.publish('a', [message('1', { key: 'k' }), message('2', { key: 'k' })])
        await started.promise
        let closed = false
        const closing = inbox.subscription.close().then(() => {
          closed = true
        })
        await broker.publish('b', [message('turn')])
        expect(closed).toBe(false)
        // Where a key has no order, both may have been begun.
        const begun = inbox.deliveries.length
        if (broker.supports.ordering) expect(begun).toBe(1)
        finish.resolve()
        await closing
        expect(inbox.deliveries).toHaveLength(begun)
        await inbox.subscription.close()
        if (broker.supports.retained && begun === 1) {
          const heir = await openInbox(broker, 'a', { group: 'g' })
          expect(textsOf(await heir.received(1))).toEqual(['2'])
        }
      },
    },
    {
      name: 'a close whose wait is given up rejects with the signal’s reason',
      run: async (harness) => {
        const broker = await harness.open()
        const started = Promise.withResolvers<void>()
        const finish = Promise.withResolvers<void>()
        const inbox = await openInbox(broker, 'a', { group: 'g' }, async () => {
          started.resolve()
          await finish.promise
          return 'ack' as const
        })
        harness.defer(() => finish.resolve())
        await broker.publish('a', [message('1')])
        await started.promise
        const controller = new AbortController()
        const closing = outcomeOf(inbox.subscription.close({ signal: controller.signal }))
        const reason = new Error('mine')
        controller.abort(reason)
        expect(await closing).toBe(reason)
      },
    },
    {
      name: 'a closed subscription gets nothing more, one beside it does',
      run: async (harness) => {
        const broker = await harness.open()
        const gone = await openInbox(broker, 'a')
        const stays = await openInbox(broker, 'a')
        await gone.subscription.close()
        gone.subscription.resume()
        await broker.publish('a', [message('1')])
        await stays.received(1)
        expect(gone.deliveries).toEqual([])
      },
    },
    {
      name: 'an abort after a subscription is open does not end it',
      run: async (harness) => {
        const broker = await harness.open()
        const controller = new AbortController()
        const inbox = await openInbox(broker, 'a', { group: 'g', signal: controller.signal })
        controller.abort()
        await broker.publish('a', [message('1')])
        expect(textsOf(await inbox.received(1))).toEqual(['1'])
      },
    },
    {
      name: 'publishing does not wait for handlers',
      run: async (harness) => {
        const broker = await harness.open()
        const finish = Promise.withResolvers<void>()
        harness.defer(() => finish.resolve())
        const inbox = await openInbox(broker, 'a', { group: 'g' }, async () => {
          await finish.promise
          return 'ack' as const
        })
        for (let at = 0; at < 10; at++) await broker.publish('a', [message(String(at))])
        finish.resolve()
        await inbox.received(10)
      },
    },
  ],
}
