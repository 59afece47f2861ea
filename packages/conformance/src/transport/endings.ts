import { MicroError } from '@micro/core/errors'
import type { ClientStream, ServerStream, Transport } from '@micro/core/transport'
import { expect } from 'vitest'
import { expectCode, outcomeOf } from '../kit/lifecycle.ts'
import type { Case, Trait } from '../kit/trait.ts'
import { createHanging } from './hanging.ts'
import { bytesOf, numbered, numbersOf, readAll, send, textOf, upTo } from './messages.ts'
import type { TransportAbilities } from './options.ts'
import { call, openPair, openStream, type Pair } from './pair.ts'

/** Far more than any transport takes without a reader. */
const most = 100_000

/** Writes until that fails, and resolves with why. */
async function writeOn(stream: Pick<ClientStream | ServerStream, 'write'>): Promise<unknown> {
  return outcomeOf(
    (async () => {
      for (let at = 0; at < most; at++) {
        await stream.write(bytesOf('more'))
        await new Promise((resolve) => setImmediate(resolve))
      }
    })(),
  )
}

async function expectAlive(pair: Pair): Promise<void> {
  expect(textOf((await call(pair, bytesOf('alive'))).body)).toBe('alive')
}

export function endingsTrait(abilities: TransportAbilities): Trait<Transport> {
  const failure = new MicroError('data_loss', 'in the middle', { processed: 'yes' })
  return {
    name: 'endings',
    cases: [
      ...[0, 1, 10, 100].map(
        (count): Case<Transport> => ({
          name: `an error arrives after the ${count} messages written before it`,
          run: async (harness) => {
            const written = Promise.withResolvers<void>()
            const pair = await openPair(harness, abilities, {
              async stream(_head, stream) {
                for (const message of numbered(count)) {
                  // More than fit wait for the reader.
                  if (count > 10) await stream.write(message)
                  else void stream.write(message)
                }
                written.resolve()
                throw failure
              },
            })
            const stream = openStream(harness, pair, 'down')
            // The reader begins late where it can, so that both are on their way.
            if (count <= 10) await written.promise
            const messages: Uint8Array[] = []
            const reading = (async () => {
              for await (const message of stream) messages.push(message)
            })()
            const error = await expectCode(reading, 'data_loss')
            expect(error.detail).toBe('in the middle')
            expect(numbersOf(messages)).toEqual(upTo(count))
            await expectAlive(pair)
          },
        }),
      ),
      {
        name: 'a client that returns early ends the stream at the receiver',
        run: async (harness) => {
          const hanging = createHanging()
          const wrote = Promise.withResolvers<unknown>()
          const pair = await openPair(harness, abilities, {
            stream(head, stream, context, peer) {
              wrote.resolve(writeOn(stream))
              return hanging.handlers.stream(head, stream, context, peer)
            },
          })
          const stream = openStream(harness, pair, 'down')
          let read = 0
          for await (const message of stream) {
            read += 1
            expect(textOf(message)).toBe('more')
            if (read === 3) break
          }
          await (await hanging.next()).cancelled
          expect(await wrote.promise, 'a write').toBeInstanceOf(Error)
          await expectAlive(pair)
        },
      },
      {
        name: 'a client that returns before it read anything ends the stream, too, and twice is once',
        run: async (harness) => {
          const hanging = createHanging()
          const pair = await openPair(harness, abilities, { stream: hanging.handlers.stream })
          const stream = openStream(harness, pair, 'up')
          const held = await hanging.next()
          expect(await stream.return?.()).toMatchObject({ done: true })
          await held.cancelled
          expect(await stream.return?.()).toMatchObject({ done: true })
          await expectAlive(pair)
        },
      },
      {
        name: 'a receiver that fails ends a client that is writing',
        run: async (harness) => {
          const pair = await openPair(harness, abilities, {
            async stream(_head, stream) {
              await stream.next()
              throw failure
            },
          })
          const stream = openStream(harness, pair, 'up')
          const wrote = writeOn(stream)
          await expectCode(readAll(stream), 'data_loss')
          expect(await wrote, 'a write').toBeInstanceOf(Error)
          await expectAlive(pair)
        },
      },
      {
        name: 'a receiver that returns without reading everything ends the stream well',
        run: async (harness) => {
          const pair = await openPair(harness, abilities, {
            async stream(_head, stream) {
              await stream.next()
              await stream.write(bytesOf('enough'))
              return undefined
            },
          })
          const stream = openStream(harness, pair, 'up')
          const wrote = writeOn(stream)
          expect((await readAll(stream)).map(textOf)).toEqual(['enough'])
          expect(await wrote, 'a write').toBeInstanceOf(Error)
          await expectAlive(pair)
        },
      },
      {
        name: 'a receiver that leaves off reading can go on writing',
        run: async (harness) => {
          const pair = await openPair(harness, abilities, {
            async stream(_head, stream) {
              for await (const _message of stream) break
              for (const message of numbered(100)) await stream.write(message)
              return undefined
            },
          })
          const stream = openStream(harness, pair, 'up')
          // What it does not read may be refused or dropped.
          const sent = outcomeOf(send(stream, numbered(100)))
          expect(numbersOf(await readAll(stream))).toEqual(upTo(100))
          await sent
          await expectAlive(pair)
        },
      },
      {
        name: 'a stream that has ended stays ended',
        run: async (harness) => {
          const pair = await openPair(harness, abilities, { stream: async () => undefined })
          const stream = openStream(harness, pair, 'down')
          await send(stream, [])
          expect(await readAll(stream)).toEqual([])
          expect(await stream.next()).toMatchObject({ done: true })
          expect(await stream.return?.()).toMatchObject({ done: true })
        },
      },
      {
        name: 'a receiver’s context is not cancelled by a stream that ends well',
        run: async (harness) => {
          let reason: unknown
          const pair = await openPair(harness, abilities, {
            async stream(_head, stream, context) {
              context.onCancel((why) => {
                reason = why
              })
              await readAll(stream)
              return undefined
            },
          })
          const stream = openStream(harness, pair, 'up')
          await send(stream, numbered(3))
          await readAll(stream)
          await stream.return?.()
          await expectAlive(pair)
          expect(reason).toBeUndefined()
        },
      },
    ],
  }
}
