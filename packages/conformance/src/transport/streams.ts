import { Metadata } from '@micro/core/metadata'
import type { Transport } from '@micro/core/transport'
import { expect } from 'vitest'
import { expectCode } from '../kit/lifecycle.ts'
import type { Case, Trait } from '../kit/trait.ts'
import {
  bytesOf,
  meanwhile,
  numbered,
  numbersOf,
  readAll,
  sameBytes,
  samples,
  send,
  textOf,
  upTo,
} from './messages.ts'
import type { TransportAbilities } from './options.ts'
import { openPair, openStream } from './pair.ts'

const many = 1_000

export function streamsTrait(abilities: TransportAbilities): Trait<Transport> {
  return {
    name: 'streams',
    cases: [
      {
        name: '1,000 messages come down in order, and then the end',
        run: async (harness) => {
          const pair = await openPair(harness, abilities, {
            async stream(_head, stream) {
              for (const message of numbered(many)) await stream.write(message)
              return undefined
            },
          })
          const stream = openStream(harness, pair, 'down')
          await send(stream, [])
          expect(numbersOf(await readAll(stream))).toEqual(upTo(many))
        },
      },
      {
        name: '1,000 messages go up in order, and then the end, before one comes down',
        run: async (harness) => {
          const seen: Uint8Array[] = []
          const pair = await openPair(harness, abilities, {
            async stream(_head, stream) {
              seen.push(...(await readAll(stream)))
              await stream.write(bytesOf(String(seen.length)))
              return undefined
            },
          })
          const stream = openStream(harness, pair, 'up')
          const answer = meanwhile(readAll(stream))
          await send(stream, numbered(many))
          expect((await answer).map(textOf)).toEqual([String(many)])
          expect(numbersOf(seen)).toEqual(upTo(many))
        },
      },
      ...samples.map(
        ([name, make]): Case<Transport> => ({
          name: `messages keep their bytes and their bounds: ${name}`,
          run: async (harness) => {
            const message = make()
            const seen: Uint8Array[] = []
            const pair = await openPair(harness, abilities, {
              async stream(_head, stream) {
                seen.push(...(await readAll(stream)))
                for (const one of [message, message]) await stream.write(one)
                return undefined
              },
            })
            const stream = openStream(harness, pair, 'up')
            await send(stream, [message, message])
            for (const arrived of [await readAll(stream), seen]) {
              expect(arrived).toHaveLength(2)
              for (const one of arrived) expect(sameBytes(one, message)).toBe(true)
            }
          },
        }),
      ),
      {
        name: 'headers arrive before the first message, and once',
        run: async (harness) => {
          const release = Promise.withResolvers<void>()
          const pair = await openPair(harness, abilities, {
            async stream(_head, stream) {
              stream.open(new Metadata({ 'x-early': 'yes' }))
              await release.promise
              await stream.write(bytesOf('later'))
              return undefined
            },
          })
          harness.defer(() => release.resolve())
          const stream = openStream(harness, pair, 'down')
          expect((await stream.headers).getAll('x-early')).toEqual(['yes'])
          release.resolve()
          expect((await readAll(stream)).map(textOf)).toEqual(['later'])
        },
      },
      bidi(abilities, 'each side can wait for the other, again and again', async (harness) => {
        const pair = await openPair(harness, abilities)
        const stream = openStream(harness, pair, 'both')
        for (const message of numbered(100)) {
          await stream.write(message)
          expect(sameBytes((await stream.next()).value, message)).toBe(true)
        }
        await stream.end()
        expect(await stream.next()).toMatchObject({ done: true })
      }),
      bidi(abilities, '1,000 messages go both ways at once', async (harness) => {
        const stream = openStream(harness, await openPair(harness, abilities), 'both')
        const [messages] = await Promise.all([readAll(stream), send(stream, numbered(many))])
        expect(numbersOf(messages)).toEqual(upTo(many))
      }),
      bidi(abilities, 'the server goes on after the client has ended its half', async (harness) => {
        const pair = await openPair(harness, abilities, {
          async stream(_head, stream) {
            const asked = await readAll(stream)
            for (const message of [...asked, ...asked]) await stream.write(message)
            return undefined
          },
        })
        const stream = openStream(harness, pair, 'both')
        await send(stream, numbered(3))
        expect(numbersOf(await readAll(stream))).toEqual([0, 1, 2, 0, 1, 2])
      }),
    ],
  }

  function bidi(
    { bidi: able = true }: TransportAbilities,
    name: string,
    run: Case<Transport>['run'],
  ): Case<Transport> {
    return {
      name,
      run,
      supported: () => able,
      // It says so, and does not hang or answer by half.
      absent: async (harness) => {
        const stream = openStream(harness, await openPair(harness, abilities), 'both')
        const error = await expectCode(readAll(stream), 'unimplemented')
        expect(error.processed).toBe('no')
      },
    }
  }
}
