import type { Transport } from '@micro/core/transport'
import { expect } from 'vitest'
import { expectCode, outcomeOf } from '../kit/lifecycle.ts'
import type { Case, Trait } from '../kit/trait.ts'
import { bytesOf, meanwhile, readAll, sameBytes, send, textOf } from './messages.ts'
import type { TransportAbilities } from './options.ts'
import { call, openPair, openStream } from './pair.ts'

export function limitsTrait(abilities: TransportAbilities): Trait<Transport> {
  const { maxMessageSize } = abilities
  const size = maxMessageSize ?? 16 << 20
  const cases: Case<Transport>[] = [
    {
      name: 'a message of the size that is allowed goes both ways, in a call and in a stream',
      run: async (harness) => {
        const body = new Uint8Array(size).fill(7)
        const pair = await openPair(harness, abilities)
        expect(sameBytes((await call(pair, body)).body, body)).toBe(true)
        const stream = openStream(harness, pair, 'down')
        const sent = meanwhile(send(stream, [body]))
        const messages = await readAll(stream)
        await sent
        expect(messages).toHaveLength(1)
        expect(sameBytes(messages[0], body)).toBe(true)
      },
    },
  ]
  return {
    name: 'limits',
    cases: maxMessageSize === undefined ? cases : [...cases, ...above(abilities, size)],
  }
}

function above(abilities: TransportAbilities, size: number): Case<Transport>[] {
  const large = new Uint8Array(size + 1).fill(7)
  /** Echoes, yet answers `large` when asked for it. */
  const answer = (asked: Uint8Array | undefined): Uint8Array =>
    asked !== undefined && textOf(asked) === 'large' ? large : bytesOf('small')
  const open = (harness: Parameters<Case<Transport>['run']>[0]) =>
    openPair(harness, abilities, {
      unary: (_head, body) => ({ body: answer(body) }),
      async stream(_head, stream) {
        for await (const message of stream) await stream.write(answer(message))
        return undefined
      },
    })

  return [
    {
      name: 'a call with a request above it is refused by resource_exhausted',
      run: async (harness) => {
        const pair = await open(harness)
        await expectCode(call(pair, large), 'resource_exhausted')
        expect(textOf((await call(pair)).body)).toBe('small')
      },
    },
    {
      name: 'a call with a reply above it fails with resource_exhausted',
      run: async (harness) => {
        const pair = await open(harness)
        await expectCode(call(pair, bytesOf('large')), 'resource_exhausted')
        expect(textOf((await call(pair)).body)).toBe('small')
      },
    },
    ...(['up', 'down'] as const).map(
      (direction): Case<Transport> => ({
        name: `a stream with a message above it fails with resource_exhausted, others go on: ${direction}`,
        run: async (harness) => {
          const pair = await open(harness)
          const other = openStream(harness, pair, 'up')
          await other.write(bytesOf('first'))
          const stream = openStream(harness, pair, direction)
          const reading = meanwhile(readAll(stream))
          const sent = outcomeOf(send(stream, [direction === 'up' ? large : bytesOf('large')]))
          await expectCode(reading, 'resource_exhausted')
          const error = await sent
          if (direction === 'up') expect(error).toMatchObject({ code: 'resource_exhausted' })
          await send(other, [bytesOf('second')])
          expect((await readAll(other)).map(textOf)).toEqual(['small', 'small'])
          expect(textOf((await call(pair)).body)).toBe('small')
        },
      }),
    ),
  ]
}
