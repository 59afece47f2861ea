import type { Transport } from '@micro/core/transport'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'
import { bytesOf, meanwhile, readAll, send, textOf, upTo } from './messages.ts'
import type { TransportAbilities } from './options.ts'
import { call, openPair, openStream } from './pair.ts'

export function concurrencyTrait(abilities: TransportAbilities): Trait<Transport> {
  return {
    name: 'concurrency',
    cases: [
      {
        name: '1,000 calls at once: each gets its own reply',
        run: async (harness) => {
          const pair = await openPair(harness, abilities, {
            async unary(_head, body) {
              // So that replies are not given in the order of the calls.
              const turns = Number(textOf(body)) % 7
              for (let at = 0; at < turns; at++) {
                await new Promise((resolve) => setImmediate(resolve))
              }
              return { body }
            },
          })
          const replies = await Promise.all(
            upTo(1_000).map((at) => call(pair, bytesOf(String(at)))),
          )
          expect(replies.map(({ body }) => Number(textOf(body)))).toEqual(upTo(1_000))
        },
      },
      {
        name: '100 streams at once: each gets its own messages',
        run: async (harness) => {
          const all = Promise.withResolvers<void>()
          let open = 0
          const pair = await openPair(harness, abilities, {
            async stream(_head, stream) {
              open += 1
              // None goes on before all are there.
              if (open === 100) all.resolve()
              await all.promise
              for await (const message of stream) {
                for (let at = 0; at < 5; at++) await stream.write(message)
              }
              return undefined
            },
          })
          harness.defer(() => all.resolve())
          const lists = await Promise.all(
            upTo(100).map(async (at) => {
              const stream = openStream(harness, pair, 'down')
              await send(stream, [bytesOf(String(at))])
              return (await readAll(stream)).map(textOf)
            }),
          )
          expect(lists).toEqual(upTo(100).map((at) => Array.from({ length: 5 }, () => String(at))))
        },
      },
      {
        name: 'a call that takes its time holds up no other',
        run: async (harness) => {
          const received = Promise.withResolvers<void>()
          const release = Promise.withResolvers<void>()
          const pair = await openPair(harness, abilities, {
            async unary(_head, body) {
              if (textOf(body) === 'slow') {
                received.resolve()
                await release.promise
              }
              return { body }
            },
          })
          harness.defer(() => release.resolve())
          const slow = meanwhile(call(pair, bytesOf('slow')))
          await received.promise
          for (const at of upTo(10)) await call(pair, bytesOf(`fast ${at}`))
          release.resolve()
          expect(textOf((await slow).body)).toBe('slow')
        },
      },
    ],
  }
}
