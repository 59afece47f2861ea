import type { LeaderChange, Sync } from '@micro/core/sync'
import { expect } from 'vitest'
import { expectCode } from '../kit/lifecycle.ts'
import type { Trait } from '../kit/trait.ts'
import { expectGrowing } from './exclusion.ts'

async function until(
  watcher: AsyncIterator<LeaderChange>,
  wanted: string | undefined,
): Promise<LeaderChange> {
  // An observation that says the same over and over is caught, rather than followed for ever.
  for (let changes = 0; changes < 100; changes++) {
    const step = await watcher.next()
    if (step.done === true) throw new Error('the observation has ended')
    if (step.value.leader?.id === wanted) return step.value
  }
  throw new Error(`a hundred changes, and none to ${wanted ?? 'nobody'}`)
}

export function elections(ttl: number): Trait<Sync> {
  return {
    name: 'elections',
    cases: [
      {
        name: 'one candidate leads; the next when it resigns, with a greater token',
        run: async (harness) => {
          const one = (await harness.open()).leader('a')
          const two = (await harness.open()).leader('a')
          const first = await one.campaign({ id: 'one', ttl })
          expect(first).toMatchObject({ id: 'one', key: 'a' })
          await expectCode(two.campaign({ id: 'two', ttl, wait: 0 }), 'aborted')
          const waiting = two.campaign({ id: 'two', ttl })
          await first.resign()
          const second = await waiting
          expect(second.id).toBe('two')
          expectGrowing([first.token, second.token])
          await first.resign()
          expect(second.lost.aborted).toBe(false)
        },
      },
      {
        name: 'observers are told who leads now, and of every last change',
        run: async (harness) => {
          const sync = await harness.open()
          const other = await harness.open()
          await using early = await other.leader('a').observe()
          expect((await early.next()).value).toEqual({ leader: undefined })
          const first = await sync.leader('a').campaign({ id: 'one', ttl })
          expect(await until(early, 'one')).toEqual({ leader: { id: 'one', token: first.token } })
          await using late = await other.leader('a').observe()
          expect((await late.next()).value).toEqual({ leader: { id: 'one', token: first.token } })
          await first.resign()
          await Promise.all([until(early, undefined), until(late, undefined)])
          await other.leader('a').campaign({ id: 'two', ttl })
          await Promise.all([until(early, 'two'), until(late, 'two')])
        },
      },
      {
        name: 'a lock of the same key is another thing',
        run: async (harness) => {
          const sync = await harness.open()
          await sync.lock('a', { ttl })
          await sync.leader('a').campaign({ ttl, wait: 0 })
        },
      },
      {
        name: 'candidates without a name get one each',
        run: async (harness) => {
          const sync = await harness.open()
          const a = await sync.leader('a').campaign({ ttl })
          const b = await sync.leader('b').campaign({ ttl })
          expect(a.id).not.toBe(b.id)
        },
      },
      {
        name: 'an observation ends with its watcher and with its instance',
        run: async (harness) => {
          const sync = await harness.open()
          const watchers = [await sync.leader('a').observe(), await sync.leader('a').observe()]
          for (const watcher of watchers) await watcher.next()
          const pending = watchers.map((watcher) => watcher.next())
          await watchers[0]?.[Symbol.asyncDispose]()
          expect((await pending[0])?.done).toBe(true)
          await sync.close()
          expect((await pending[1])?.done).toBe(true)
        },
      },
    ],
  }
}
