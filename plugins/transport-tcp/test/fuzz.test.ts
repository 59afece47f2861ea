import { once } from 'node:events'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encode, greetedClient, hello, rawServer, request, type } from './support/raw-peer.ts'
import { dial, say, serve } from './support/serve.ts'

const scale = Number(process.env['MICRO_SCALE'] ?? '0.1')
const numRuns = Math.ceil(2_000 * scale)

const bytes = fc.uint8Array({ maxLength: 300 })
const frame = fc
  .tuple(
    fc.integer({ min: 0, max: 16 }),
    fc.integer({ min: 0, max: 4 }),
    fc.integer({ min: 0, max: 2 }),
    bytes,
  )
  .map(([kind, id, flags, payload]) => encode(kind, id, payload, flags))
const call = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 1 }), bytes)
  .map(([id, method, body]) => encode(type.request, id, request(method === 0 ? body : '', method)))
/** Frames good and bad, with a byte changed or the end cut off now and then. */
const traffic = fc
  .tuple(
    fc.array(
      fc.oneof(
        { arbitrary: frame, weight: 2 },
        { arbitrary: call, weight: 2 },
        bytes.map((raw) => Buffer.from(raw)),
      ),
      { maxLength: 12 },
    ),
    fc.option(fc.nat()),
    fc.option(fc.nat()),
  )
  .map(([parts, flip, cut]) => {
    const all = Buffer.concat(parts)
    if (all.length === 0) return all
    if (flip !== null) all[flip % all.length] = (all[flip % all.length] as number) ^ 0xff
    return cut === null ? all : all.subarray(0, cut % all.length)
  })

test('whatever a client sends, it is answered or let go, and nobody else is harmed', async () => {
  const { url } = await serve()
  const other = dial(url)
  await fc.assert(
    fc.asyncProperty(traffic, async (sent) => {
      const peer = await greetedClient(url)
      const closed = once(peer.socket, 'close')
      peer.write(sent)
      peer.socket.end()
      await closed
    }),
    { numRuns },
  )
  expect(Buffer.from((await say(other, 'well')).body).toString()).toBe('well')
})

test('whatever a server sends, a call ends', async () => {
  await fc.assert(
    fc.asyncProperty(traffic, async (sent) => {
      const { url, server } = await rawServer(async (peer) => {
        peer.send(type.hello, 0, hello)
        // Not of a client that has gone before.
        await peer.frame(type.request).catch(() => undefined)
        peer.write(sent)
        peer.socket.end()
      })
      const connection = dial(url)
      await say(connection, 'x').catch((error: Error) => expect(error.name).toBe('MicroError'))
      await connection.close()
      server.close()
    }),
    { numRuns: Math.ceil(numRuns / 2) },
  )
})
