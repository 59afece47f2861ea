import { Metadata } from '@micro/core/metadata'
import type { Transport } from '@micro/core/transport'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'
import { send } from './messages.ts'
import type { TransportAbilities } from './options.ts'
import { call, openPair, openStream } from './pair.ts'

const bytes = Uint8Array.from({ length: 256 }, (_, at) => at)

/** Keys with one value and with many, with values that a wire could split, and with bytes. */
function sample(): Metadata {
  return new Metadata({
    'x-one': 'one value, with a comma; and "more" = so',
    'x-many': ['first', 'second', 'first'],
    x_under: 'a_b',
    'x.dot': 'a.b',
  }).setBinary('x-bytes-bin', bytes)
}

function expectSample(metadata: Metadata | undefined, where: string): void {
  expect(metadata?.getAll('x-one'), where).toEqual(['one value, with a comma; and "more" = so'])
  expect(metadata?.getAll('x-many'), where).toEqual(['first', 'second', 'first'])
  expect(metadata?.get('x_under'), where).toBe('a_b')
  expect(metadata?.get('x.dot'), where).toBe('a.b')
  expect(metadata?.getBinary('x-bytes-bin'), where).toEqual(bytes)
}

export function metadataTrait(abilities: TransportAbilities): Trait<Transport> {
  return {
    name: 'metadata',
    cases: [
      {
        name: 'a unary call carries it to the server, and back as headers and trailers',
        run: async (harness) => {
          const seen: Metadata[] = []
          const pair = await openPair(harness, abilities, {
            unary(head, body) {
              seen.push(head.metadata)
              return { body, headers: sample(), trailers: sample().set('x-kind', 'trailer') }
            },
          })
          const reply = await call(pair, undefined, { metadata: sample() })
          expectSample(seen[0], 'at the server')
          expectSample(reply.headers, 'headers')
          expectSample(reply.trailers, 'trailers')
          expect(reply.trailers?.get('x-kind')).toBe('trailer')
          expect(reply.headers?.has('x-kind')).toBe(false)
        },
      },
      {
        name: 'a stream carries it to the server, and back as headers and trailers',
        run: async (harness) => {
          const seen: Metadata[] = []
          const pair = await openPair(harness, abilities, {
            async stream(head, stream) {
              seen.push(head.metadata)
              stream.open(sample())
              await stream.next()
              return sample().set('x-kind', 'trailer')
            },
          })
          const stream = openStream(harness, pair, 'up', { metadata: sample() })
          expectSample(await stream.headers, 'headers')
          expectSample(seen[0], 'at the server')
          await send(stream, [])
          expect(await stream.next()).toMatchObject({ done: true })
          expectSample(stream.trailers, 'trailers')
          expect(stream.trailers.get('x-kind')).toBe('trailer')
        },
      },
      {
        name: 'a call carries its own only',
        run: async (harness) => {
          const seen: (string | undefined)[] = []
          const pair = await openPair(harness, abilities, {
            unary(head, body) {
              seen.push(head.metadata.get('x-call'))
              return { body }
            },
          })
          await call(pair, undefined, { metadata: new Metadata({ 'x-call': 'first' }) })
          await call(pair)
          await call(pair, undefined, { metadata: new Metadata({ 'x-call': 'third' }) })
          expect(seen).toEqual(['first', undefined, 'third'])
        },
      },
    ],
  }
}
