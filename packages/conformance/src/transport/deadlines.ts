import { Context, rootContext } from '@micro/core/context'
import type { Transport } from '@micro/core/transport'
import { expect } from 'vitest'
import { expectCode, outcomeOf } from '../kit/lifecycle.ts'
import type { Case, Trait } from '../kit/trait.ts'
import { createHanging } from './hanging.ts'
import { readAll, send } from './messages.ts'
import type { TransportAbilities } from './options.ts'
import { call, openPair, openStream } from './pair.ts'

const minute = 60_000

const within = (timeout: number | undefined): Context => new Context(rootContext, { timeout })

export function deadlinesTrait(abilities: TransportAbilities): Trait<Transport> {
  return {
    name: 'deadlines',
    cases: [
      {
        name: 'what is left of the time reaches the receiver, and no limit where there is none',
        run: async (harness) => {
          const left: number[] = []
          const pair = await openPair(harness, abilities, {
            unary(_head, body, context) {
              left.push(context.remaining())
              return { body }
            },
            async stream(_head, _stream, context) {
              left.push(context.remaining())
              return undefined
            },
          })
          for (const timeout of [minute, undefined]) {
            await call(pair, undefined, { context: within(timeout) })
            await readAll(openStream(harness, pair, 'down', { context: within(timeout) }))
          }
          for (const one of left.slice(0, 2)) {
            // Wires may round up to a whole unit, of a second at most.
            expect(one).toBeLessThanOrEqual(minute + 1_000)
            expect(one).toBeGreaterThan(minute / 2)
          }
          expect(left.slice(2)).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY])
        },
      },
      {
        name: 'a unary call that expires ends so, and is cancelled at the receiver',
        run: async (harness) => {
          const hanging = createHanging()
          const pair = await openPair(harness, abilities, hanging.handlers)
          const context = within(minute)
          const outcome = outcomeOf(call(pair, undefined, { context }))
          const held = await hanging.next()
          // As the clock does when the time has come.
          context.expire()
          expect(await outcome).toMatchObject({ code: 'deadline_exceeded' })
          await held.cancelled
        },
      },
      {
        name: 'a stream that expires ends so, and is cancelled at the receiver',
        run: async (harness) => {
          const hanging = createHanging()
          const pair = await openPair(harness, abilities, hanging.handlers)
          const context = within(minute)
          const stream = openStream(harness, pair, 'down', { context })
          await send(stream, [])
          const outcome = outcomeOf(readAll(stream))
          const held = await hanging.next()
          context.expire()
          expect(await outcome).toMatchObject({ code: 'deadline_exceeded' })
          await held.cancelled
        },
      },
      {
        name: 'the clock of the caller ends a call by itself',
        run: async (harness) => {
          const pair = await openPair(harness, abilities, createHanging().handlers)
          await expectCode(call(pair, undefined, { context: within(50) }), 'deadline_exceeded')
          const stream = openStream(harness, pair, 'down', { context: within(50) })
          await expectCode(readAll(stream), 'deadline_exceeded')
        },
      },
      ...(['unary call', 'stream'] as const).map(
        (kind): Case<Transport> => ({
          name: `a ${kind} whose deadline has passed already is not received`,
          // In process the receiver has the caller's own context, and sees for itself.
          supported: () => abilities.inProcess !== true,
          run: async (harness) => {
            let received = 0
            const pair = await openPair(harness, abilities, {
              unary(_head, body) {
                received += 1
                return { body }
              },
              async stream() {
                received += 1
                return undefined
              },
            })
            const late = { context: within(0) }
            const outcome =
              kind === 'stream'
                ? readAll(openStream(harness, pair, 'down', late))
                : call(pair, undefined, late)
            await expectCode(outcome, 'deadline_exceeded')
            await call(pair)
            await readAll(openStream(harness, pair, 'down'))
            expect(received).toBe(2)
          },
        }),
      ),
    ],
  }
}
