import { randomBytes } from 'node:crypto'
import { Context, rootContext } from '@micro/core/context'
import type { ClientStream, ServerStream, Transport } from '@micro/core/transport'
import { expect } from 'vitest'
import { outcomeOf } from '../kit/lifecycle.ts'
import type { Trait } from '../kit/trait.ts'
import { bytesOf, readAll, sameBytes, textOf } from './messages.ts'
import type { TransportAbilities } from './options.ts'
import { call, openPair, openStream, untilCancelled } from './pair.ts'

/** Of random bytes, so that compression makes them no smaller. */
const message = new Uint8Array(randomBytes(1 << 16))
/** Messages that no reader took which a writer may be rid of: 32 MiB, of queues and of sockets. */
const room = 512

/** Writes until it is held back, `room` is passed or it is told to stop. */
interface Writer {
  readonly accepted: number
  /** Resolves once no message has been accepted for a good while, or too many. */
  held(): Promise<void>
  /** Resolves with what the last write failed with, once nothing more is written. */
  stop(): Promise<unknown>
}

function writeTo(stream: Pick<ClientStream | ServerStream, 'write'>): Writer {
  let accepted = 0
  let stopped = false
  const work = outcomeOf(
    (async () => {
      while (!stopped && accepted < room) {
        await stream.write(message)
        accepted += 1
        // A writer that is never held back must not keep the others from running.
        await new Promise((resolve) => setImmediate(resolve))
      }
    })(),
  )
  return {
    get accepted() {
      return accepted
    },
    async held() {
      // Too short a look could only let a wrong one pass, never fail a right one.
      for (let seen = -1, still = 0; still < 20 && accepted < room; ) {
        still = seen === accepted ? still + 1 : 0
        seen = accepted
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    },
    stop() {
      stopped = true
      return work
    },
  }
}

export function flowTrait(abilities: TransportAbilities): Trait<Transport> {
  return {
    name: 'flow',
    cases: [
      {
        name: 'a client is held back by a receiver that stops reading, and loses nothing',
        run: async (harness) => {
          const release = Promise.withResolvers<void>()
          const pair = await openPair(harness, abilities, {
            async stream(_head, stream) {
              await release.promise
              let good = 0
              for await (const one of stream) if (sameBytes(one, message)) good += 1
              await stream.write(bytesOf(String(good)))
              return undefined
            },
          })
          harness.defer(() => release.resolve())
          const stream = openStream(harness, pair, 'up')
          const writer = writeTo(stream)
          await writer.held()
          expect(writer.accepted).toBeLessThan(room)
          release.resolve()
          expect(await writer.stop()).toBeUndefined()
          await stream.end()
          expect((await readAll(stream)).map(textOf)).toEqual([String(writer.accepted)])
        },
      },
      {
        name: 'a server is held back by a client that stops reading, and loses nothing',
        run: async (harness) => {
          const writing = Promise.withResolvers<Writer>()
          const release = Promise.withResolvers<void>()
          const pair = await openPair(harness, abilities, {
            async stream(_head, stream) {
              const writer = writeTo(stream)
              writing.resolve(writer)
              await release.promise
              await writer.stop()
              return undefined
            },
          })
          harness.defer(() => release.resolve())
          const stream = openStream(harness, pair, 'down')
          expect(sameBytes((await stream.next()).value, message)).toBe(true)
          const writer = await writing.promise
          await writer.held()
          expect(writer.accepted).toBeLessThan(room)
          release.resolve()
          let good = 1
          for await (const one of stream) if (sameBytes(one, message)) good += 1
          expect(good).toBe(writer.accepted)
        },
      },
      {
        name: 'a stream that nobody reads does not hold up the others',
        run: async (harness) => {
          const writing = Promise.withResolvers<Writer>()
          const pair = await openPair(harness, abilities, {
            async stream(_head, stream, context) {
              writing.resolve(writeTo(stream))
              return untilCancelled(context)
            },
          })
          const stream = openStream(harness, pair, 'down')
          await stream.headers
          await (await writing.promise).held()
          expect(textOf((await call(pair, bytesOf('beside it'))).body)).toBe('beside it')
          const other = openStream(harness, pair, 'down')
          expect(sameBytes((await other.next()).value, message)).toBe(true)
        },
      },
      {
        name: 'a client that is held back is let go when its call is cancelled',
        run: async (harness) => {
          const pair = await openPair(harness, abilities, {
            stream: (_head, _stream, context) => untilCancelled(context),
          })
          const context = new Context(rootContext)
          const writer = writeTo(openStream(harness, pair, 'up', { context }))
          await writer.held()
          context.cancel(new Error('mine'))
          expect(await writer.stop()).toBeInstanceOf(Error)
        },
      },
      {
        name: 'a server that is held back is let go when the client has gone',
        run: async (harness) => {
          const writing = Promise.withResolvers<Writer>()
          const pair = await openPair(harness, abilities, {
            async stream(_head, stream, context) {
              writing.resolve(writeTo(stream))
              return untilCancelled(context)
            },
          })
          const stream = openStream(harness, pair, 'down')
          await stream.next()
          const writer = await writing.promise
          await writer.held()
          await stream.return?.()
          expect(await writer.stop()).toBeInstanceOf(Error)
        },
      },
    ],
  }
}
