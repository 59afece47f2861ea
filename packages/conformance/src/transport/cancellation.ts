import { Context, rootContext } from '@micro/core/context'
import type { Transport } from '@micro/core/transport'
import { expect } from 'vitest'
import { outcomeOf } from '../kit/lifecycle.ts'
import type { Case, Trait } from '../kit/trait.ts'
import { createHanging } from './hanging.ts'
import { bytesOf, meanwhile, readAll, sameBytes, textOf } from './messages.ts'
import type { TransportAbilities } from './options.ts'
import { call, openPair, openStream } from './pair.ts'

export function cancellationTrait(abilities: TransportAbilities): Trait<Transport> {
  const methods =
    abilities.bidi === false ? (['down', 'up'] as const) : (['down', 'up', 'both'] as const)
  return {
    name: 'cancellation',
    cases: [
      {
        name: 'a unary call ends with the reason itself, and is cancelled at the receiver',
        run: async (harness) => {
          const hanging = createHanging()
          const pair = await openPair(harness, abilities, hanging.handlers)
          const context = new Context(rootContext)
          const outcome = outcomeOf(call(pair, undefined, { context }))
          const held = await hanging.next()
          const reason = new Error('mine')
          context.cancel(reason)
          expect(await outcome).toBe(reason)
          await held.cancelled
        },
      },
      ...methods.map(
        (method): Case<Transport> => ({
          name: `a stream "${method}" ends with the reason itself, and is cancelled at the receiver`,
          run: async (harness) => {
            const hanging = createHanging()
            const pair = await openPair(harness, abilities, hanging.handlers)
            const context = new Context(rootContext)
            const stream = openStream(harness, pair, method, { context })
            const outcome = outcomeOf(readAll(stream))
            const held = await hanging.next()
            const reason = new Error('mine')
            context.cancel(reason)
            expect(await outcome).toBe(reason)
            await held.cancelled
          },
        }),
      ),
      {
        name: 'a receiver that waits for a message is told',
        run: async (harness) => {
          const reading = Promise.withResolvers<unknown>()
          const first = Promise.withResolvers<void>()
          const pair = await openPair(harness, abilities, {
            async stream(_head, stream) {
              await stream.next()
              first.resolve()
              reading.resolve(await outcomeOf(stream.next()))
              return undefined
            },
          })
          const context = new Context(rootContext)
          const stream = openStream(harness, pair, 'up', { context })
          await stream.write(bytesOf('one'))
          await first.promise
          context.cancel(new Error('mine'))
          expect(await reading.promise).toBeInstanceOf(Error)
        },
      },
      {
        name: 'the caller need not wait for a receiver that goes on all the same',
        // In process the receiver itself ends the call, of which it has the context.
        supported: () => abilities.inProcess !== true,
        run: async (harness) => {
          const received = Promise.withResolvers<void>()
          const release = Promise.withResolvers<void>()
          const pair = await openPair(harness, abilities, {
            async unary(_head, body) {
              received.resolve()
              await release.promise
              return { body }
            },
          })
          harness.defer(() => release.resolve())
          const context = new Context(rootContext)
          const outcome = outcomeOf(call(pair, undefined, { context }))
          await received.promise
          context.cancel('enough')
          expect(await outcome).toBe('enough')
        },
      },
      {
        name: 'a call that was cancelled before it began is not received',
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
          const cancelled = (): Context => {
            const context = new Context(rootContext)
            context.cancel('too late')
            return context
          }
          expect(await outcomeOf(call(pair, undefined, { context: cancelled() }))).toBe('too late')
          const stream = openStream(harness, pair, 'down', { context: cancelled() })
          expect(await outcomeOf(readAll(stream))).toBe('too late')
          expect(await outcomeOf(stream.headers)).toBe('too late')
          await call(pair)
          await readAll(openStream(harness, pair, 'down'))
          expect(received).toBe(2)
        },
      },
      {
        name: 'others on the same connection go on',
        run: async (harness) => {
          const hanging = createHanging()
          const release = Promise.withResolvers<void>()
          const pair = await openPair(harness, abilities, {
            async unary(head, body, context, peer) {
              if (textOf(body) === 'hang') return hanging.handlers.unary(head, body, context, peer)
              await release.promise
              return { body }
            },
            async stream(_head, stream) {
              await stream.write(bytesOf('first'))
              await release.promise
              await stream.write(bytesOf('second'))
              return undefined
            },
          })
          const stream = openStream(harness, pair, 'down')
          expect(sameBytes((await stream.next()).value, bytesOf('first'))).toBe(true)
          const context = new Context(rootContext)
          const outcome = outcomeOf(call(pair, bytesOf('hang'), { context }))
          const other = meanwhile(call(pair, bytesOf('goes on')))
          await hanging.next()
          context.cancel('enough')
          expect(await outcome).toBe('enough')
          release.resolve()
          expect(textOf((await other).body)).toBe('goes on')
          expect((await readAll(stream)).map(textOf)).toEqual(['second'])
        },
      },
    ],
  }
}
