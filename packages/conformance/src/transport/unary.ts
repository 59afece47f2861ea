import { Context, rootContext } from '@micro/core/context'
import type { CallHead, Peer, Transport } from '@micro/core/transport'
import { expect } from 'vitest'
import { expectCode } from '../kit/lifecycle.ts'
import type { Case, Trait } from '../kit/trait.ts'
import { bytesOf, sameBytes, samples, textOf } from './messages.ts'
import type { TransportAbilities } from './options.ts'
import { call, contentType, headOf, openPair, service } from './pair.ts'

export function unaryTrait(abilities: TransportAbilities): Trait<Transport> {
  return {
    name: 'unary',
    cases: [
      ...samples.map(
        ([name, make]): Case<Transport> => ({
          name: `bytes arrive and come back as they were sent: ${name}`,
          run: async (harness) => {
            const body = make()
            const seen: Uint8Array[] = []
            const pair = await openPair(harness, abilities, {
              unary(_head, received) {
                seen.push(received)
                return { body }
              },
            })
            const reply = await call(pair, body)
            expect(sameBytes(seen[0], body), 'the request').toBe(true)
            expect(sameBytes(reply.body, body), 'the reply').toBe(true)
          },
        }),
      ),
      {
        name: 'the receiver is told what is called, and by whom',
        run: async (harness) => {
          const seen: { head: CallHead; peer: Peer }[] = []
          const pair = await openPair(harness, abilities, {
            unary(head, body, _context, peer) {
              seen.push({ head, peer })
              return { body }
            },
          })
          await call(pair)
          expect(seen[0]?.head).toMatchObject({
            service,
            method: 'say',
            kind: 'unary',
            idempotency: 'unknown',
            contentType,
          })
          expect(seen[0]?.peer.transport).toBe(pair.transport.name)
          expect(seen[0]?.peer.address).not.toBe('')
        },
      },
      {
        name: 'a receiver may answer later, and each call is received once',
        run: async (harness) => {
          let received = 0
          const pair = await openPair(harness, abilities, {
            async unary(_head, body) {
              received += 1
              await new Promise((resolve) => setImmediate(resolve))
              return { body }
            },
          })
          for (let at = 0; at < 20; at++) {
            expect(textOf((await call(pair, bytesOf(`call ${at}`))).body)).toBe(`call ${at}`)
          }
          expect(received).toBe(20)
        },
      },
      {
        name: 'a method that the server does not have is refused as unimplemented, not processed',
        run: async (harness) => {
          let received = 0
          const pair = await openPair(harness, abilities, {
            unary(_head, body) {
              received += 1
              return { body }
            },
          })
          const { connection } = pair
          const context = new Context(rootContext)
          const unknown = async () =>
            connection.unary(headOf(connection, 'missing'), bytesOf('{}'), context)
          const error = await expectCode(unknown(), 'unimplemented')
          context.finish()
          expect(error.processed).toBe('no')
          expect(received).toBe(0)
        },
      },
    ],
  }
}
