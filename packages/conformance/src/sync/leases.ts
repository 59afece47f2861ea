import { sleep } from '@micro/core/component'
import type { Sync } from '@micro/core/sync'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'

/** Stops this process's event loop, as a long garbage collection or a suspended machine does. */
function stall(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

export function leases(ttl: number): Trait<Sync> {
  return {
    name: 'leases',
    cases: [
      {
        name: 'a lock is renewed by itself, past its ttl',
        run: async (harness) => {
          const one = await harness.open()
          const two = await harness.open()
          const lock = await one.lock('a', { ttl })
          await sleep(ttl * 2.5, { keepAlive: true })
          expect(lock.lost.aborted).toBe(false)
          const other = await two.lock('a', { ttl, wait: 0 }).catch((error: unknown) => error)
          expect(other).toMatchObject({ code: 'aborted' })
        },
      },
      {
        name: 'a holder that stalls past its ttl is told before another gets the lock',
        run: async (harness) => {
          const one = await harness.open()
          const two = await harness.open()
          const lock = await one.lock('a', { ttl })
          let toldFirst = false
          lock.lost.addEventListener('abort', () => {
            toldFirst = true
          })
          const next = two.lock('a', { ttl: ttl * 10 }).then((other) => ({ other, toldFirst }))
          stall(ttl * 2)
          const { other, toldFirst: told } = await next
          expect(told).toBe(true)
          expect(lock.lost.reason).toMatchObject({ code: 'aborted' })
          expect(other.token).toBeGreaterThan(lock.token)
          await lock.release()
          expect(other.lost.aborted).toBe(false)
          const third = await one.lock('a', { ttl, wait: 0 }).catch((error: unknown) => error)
          expect(third).toMatchObject({ code: 'aborted' })
        },
      },
      {
        name: 'the signal of a released lock does not abort later',
        run: async (harness) => {
          const sync = await harness.open()
          const lock = await sync.lock('a', { ttl })
          await lock.release()
          await sleep(ttl * 1.5, { keepAlive: true })
          expect(lock.lost.aborted).toBe(false)
        },
      },
    ],
  }
}
