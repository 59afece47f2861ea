import { Context, rootContext } from '@micro/core/context'
import type { Connection, Transport } from '@micro/core/transport'
import { expect } from 'vitest'
import { expectCode, outcomeOf } from '../kit/lifecycle.ts'
import type { Case, Trait } from '../kit/trait.ts'
import type { TransportAbilities } from './options.ts'
import { openPair } from './pair.ts'

export function pingTrait(abilities: TransportAbilities): Trait<Transport> {
  const pinging = (name: string, run: Case<Transport>['run']): Case<Transport> => ({
    name,
    run,
    supported: () => abilities.ping !== false,
    absent: async (harness) => {
      expect((await openPair(harness, abilities)).connection.ping).toBeUndefined()
    },
  })

  return {
    name: 'ping',
    cases: [
      pinging('a server that listens answers, and no call is received', async (harness) => {
        let received = 0
        const { connection } = await openPair(harness, abilities, {
          unary(_head, body) {
            received += 1
            return { body }
          },
        })
        for (let at = 0; at < 3; at++) await ping(connection)
        expect(received).toBe(0)
      }),
      pinging('nobody does not answer', async (harness) => {
        const { connection, listener } = await openPair(harness, abilities)
        await listener.close()
        await expectCode(ping(connection), 'unavailable')
      }),
      pinging('one that is cancelled ends with the reason', async (harness) => {
        const { connection } = await openPair(harness, abilities)
        const context = new Context(rootContext)
        const reason = new Error('mine')
        context.cancel(reason)
        expect(await outcomeOf(ping(connection, context))).toBe(reason)
      }),
    ],
  }
}

async function ping(connection: Connection, context = new Context(rootContext)): Promise<void> {
  try {
    if (connection.ping === undefined) throw new Error('there is no ping')
    await connection.ping(context)
  } finally {
    context.finish()
  }
}
