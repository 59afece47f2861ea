import type { MicroError } from '@micro/core/errors'
import type { Transport } from '@micro/core/transport'
import { expect } from 'vitest'
import { expectCode, outcomeOf } from '../kit/lifecycle.ts'
import type { Case, Trait } from '../kit/trait.ts'
import { createHanging } from './hanging.ts'
import { bytesOf, meanwhile, readAll, send, textOf } from './messages.ts'
import type { TransportAbilities } from './options.ts'
import { call, type Handlers, openPair, openStream, type Pair } from './pair.ts'

type Run = Case<Transport>['run']

/** Both kinds of call are refused, so that they may be made again elsewhere. */
async function expectRefused(harness: Parameters<Run>[0], pair: Pair): Promise<void> {
  const refusals: MicroError[] = [
    await expectCode(call(pair), 'unavailable'),
    await expectCode(readAll(openStream(harness, pair, 'down')), 'unavailable'),
  ]
  expect(refusals.map(({ processed }) => processed)).toEqual(['no', 'no'])
}

/** A server whose calls wait until they are let go. */
function createGate(): {
  readonly handlers: Handlers
  readonly entered: Promise<unknown>
  readonly release: () => void
} {
  const unary = Promise.withResolvers<void>()
  const stream = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  return {
    handlers: {
      async unary(_head, body) {
        unary.resolve()
        await released.promise
        return { body }
      },
      async stream(_head, messages) {
        stream.resolve()
        await messages.write(bytesOf('before'))
        await released.promise
        await messages.write(bytesOf('after'))
        return undefined
      },
    },
    entered: Promise.all([unary.promise, stream.promise]),
    release: () => released.resolve(),
  }
}

export function closingTrait(abilities: TransportAbilities): Trait<Transport> {
  /** For what a listener or connection does that holds calls. */
  const holding = (name: string, run: Run): Case<Transport> => ({
    name,
    run,
    supported: () => abilities.inProcess !== true,
    // It holds none: they end well, whatever becomes of it.
    absent: async (harness) => {
      const gate = createGate()
      harness.defer(gate.release)
      const pair = await openPair(harness, abilities, gate.handlers)
      const reply = meanwhile(call(pair, bytesOf('mine')))
      const messages = meanwhile(readAll(openStream(harness, pair, 'down')))
      await gate.entered
      await Promise.all([pair.connection.drain(), pair.listener.drain()])
      await Promise.all([pair.connection.close(), pair.listener.close()])
      gate.release()
      expect(textOf((await reply).body)).toBe('mine')
      expect((await messages).map(textOf)).toEqual(['before', 'after'])
    },
  })

  const draining = (name: string, drain: (pair: Pair) => Promise<void>): Case<Transport> =>
    holding(name, async (harness) => {
      const gate = createGate()
      harness.defer(gate.release)
      const pair = await openPair(harness, abilities, gate.handlers)
      const reply = meanwhile(call(pair, bytesOf('mine')))
      const stream = openStream(harness, pair, 'down')
      await send(stream, [])
      await gate.entered
      expect(textOf((await stream.next()).value ?? bytesOf('nothing'))).toBe('before')
      let drained = false
      const draining = meanwhile(
        drain(pair).then(() => {
          drained = true
        }),
      )
      await expectRefused(harness, pair)
      expect(drained).toBe(false)
      gate.release()
      expect(textOf((await reply).body)).toBe('mine')
      expect((await readAll(stream)).map(textOf)).toEqual(['after'])
      await draining
      await drain(pair)
      await expectRefused(harness, pair)
    })

  const closingUnder = (name: string, close: (pair: Pair) => Promise<void>): Case<Transport> =>
    holding(name, async (harness) => {
      const hanging = createHanging()
      const pair = await openPair(harness, abilities, hanging.handlers)
      const stream = openStream(harness, pair, 'down')
      const outcomes = [outcomeOf(call(pair)), outcomeOf(readAll(stream))]
      const held = [await hanging.next(), await hanging.next()]
      await close(pair)
      for (const outcome of outcomes) {
        const error = await outcome
        expect(error).toMatchObject({ code: 'unavailable' })
        // A handler has seen it.
        expect((error as MicroError).processed).not.toBe('no')
      }
      for (const one of held) await one.cancelled
    })

  return {
    name: 'closing',
    cases: [
      draining('a listener that drains refuses new calls and lets running ones end', (pair) =>
        pair.listener.drain(),
      ),
      draining('a connection that drains refuses new calls and lets running ones end', (pair) =>
        pair.connection.drain(),
      ),
      closingUnder('a listener that is closed ends the calls under way as unavailable', (pair) =>
        pair.listener.close(),
      ),
      closingUnder('a connection that is closed ends the calls under way as unavailable', (pair) =>
        pair.connection.close(),
      ),
      holding('a connection that has been closed refuses calls', async (harness) => {
        const pair = await openPair(harness, abilities)
        await call(pair)
        await readAll(await ended(openStream(harness, pair, 'down')))
        await pair.connection.close()
        await expectRefused(harness, pair)
      }),
      {
        name: 'calls to a listener that was closed are unavailable, and refused on a new connection',
        run: async (harness) => {
          const pair = await openPair(harness, abilities)
          await call(pair)
          await readAll(await ended(openStream(harness, pair, 'down')))
          await pair.listener.close()
          // Written to a socket that is not known to be dead, a call is lost and nobody knows how.
          await expectCode(call(pair), 'unavailable')
          await expectCode(readAll(openStream(harness, pair, 'down')), 'unavailable')
          const endpoint = { transport: pair.transport.name, url: pair.listener.url }
          const fresh = pair.transport.dial(endpoint, { node: 'node-of-nobody' })
          harness.defer(() => fresh.close())
          await expectRefused(harness, { ...pair, connection: fresh })
        },
      },
      {
        name: 'listeners and connections are drained and closed twice, at once, in any order',
        run: async (harness) => {
          for (const used of [false, true]) {
            const pair = await openPair(harness, abilities)
            if (used) {
              await call(pair)
              await readAll(await ended(openStream(harness, pair, 'down')))
            }
            for (const one of [pair.connection, pair.listener]) {
              await Promise.all([one.drain(), one.drain()])
              await Promise.all([one.close(), one.close(), one.drain()])
              await one.close()
            }
          }
        },
      },
    ],
  }
}

async function ended(stream: ReturnType<typeof openStream>): Promise<typeof stream> {
  await send(stream, [])
  return stream
}
