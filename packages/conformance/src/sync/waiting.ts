import type { Sync } from '@micro/core/sync'
import { expect } from 'vitest'
import { expectCode, outcomeOf } from '../kit/lifecycle.ts'
import type { Trait } from '../kit/trait.ts'

export function waiting(ttl: number): Trait<Sync> {
  return {
    name: 'waiting',
    cases: [
      {
        name: 'who waits gets the lock when it is released',
        run: async (harness) => {
          const one = await harness.open()
          const two = await harness.open()
          const first = await one.lock('a', { ttl })
          const waiting = two.lock('a', { ttl })
          await first.release()
          expect((await waiting).token).toBeGreaterThan(first.token)
        },
      },
      {
        name: 'a wait that is over is told as aborted, and does not take the lock later',
        run: async (harness) => {
          const one = await harness.open()
          const two = await harness.open()
          const first = await one.lock('a', { ttl })
          await expectCode(two.lock('a', { ttl, wait: 100 }), 'aborted')
          await first.release()
          await one.lock('a', { ttl, wait: 5_000 })
        },
      },
      {
        name: 'a wait that is given up rejects with the signal’s reason, and leaves the queue',
        run: async (harness) => {
          const one = await harness.open()
          const two = await harness.open()
          const first = await one.lock('a', { ttl })
          const controller = new AbortController()
          const waiting = outcomeOf(two.lock('a', { ttl, signal: controller.signal }))
          const reason = new Error('mine')
          controller.abort(reason)
          expect(await waiting).toBe(reason)
          await first.release()
          await one.lock('a', { ttl, wait: 5_000 })
        },
      },
      {
        name: 'closing ends the waits of an instance, and frees what it holds',
        run: async (harness) => {
          const one = await harness.open()
          const two = await harness.open()
          await one.lock('a', { ttl: 600_000 })
          const waiting = outcomeOf(two.lock('a', { ttl }))
          await two.close()
          expect(await waiting).toMatchObject({ code: 'failed_precondition' })
          await one.close()
          await (await harness.open()).lock('a', { ttl, wait: 5_000 })
        },
      },
      {
        name: 'a lock outlives the signal of the call that took it',
        run: async (harness) => {
          const sync = await harness.open()
          const controller = new AbortController()
          const lock = await sync.lock('a', { ttl, signal: controller.signal })
          controller.abort()
          expect(lock.lost.aborted).toBe(false)
          await expectCode((await harness.open()).lock('a', { ttl, wait: 0 }), 'aborted')
        },
      },
      {
        name: 'first come, first served, where fairness is declared',
        supported: (sync) => sync.supports.fair,
        run: async (harness) => {
          const one = await harness.open()
          const two = await harness.open()
          const first = await one.lock('a', { ttl: ttl * 10 })
          const order: number[] = []
          const queue: Promise<void>[] = []
          for (let at = 0; at < 6; at++) {
            // Each has joined the queue before the next does, which a lock of its own shows.
            queue.push(
              (at % 2 === 0 ? two : one).lock('a', { ttl: ttl * 10 }).then(async (lock) => {
                order.push(at)
                await lock.release()
              }),
            )
            await two.lock(`step ${at}`, { ttl }).then((step) => step.release())
            await one.lock(`step ${at}`, { ttl }).then((step) => step.release())
          }
          await first.release()
          await Promise.all(queue)
          expect(order).toEqual([0, 1, 2, 3, 4, 5])
        },
        absent: async (harness) => {
          expect((await harness.open()).supports.fair).toBe(false)
        },
      },
    ],
  }
}
