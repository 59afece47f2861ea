import { once } from 'node:events'
import { connect } from 'node:net'
import type { HttpTransportOptions } from '@micro/plugin-transport-http'
import { describe, expect, test } from 'vitest'
import { startPair } from './support/echo.ts'

const scale = Number(process.env['MICRO_SCALE'] ?? '0.1')

describe.each([{}, { protocol: 'http1' }] as HttpTransportOptions[])(
  'flow with options %o',
  (options) => {
    test('a slow reader holds a fast writer back: what is on the way stays small', async () => {
      const size = 256 * 1_024
      const total = Math.ceil((1_024 * 1_024 * 1_024 * scale) / size)
      let written = 0
      const { echo } = await startPair(options, {
        async *count() {
          const message = 'x'.repeat(size)
          for (let n = 0; n < total; n++) {
            written += 1
            yield message
          }
        },
      })
      let read = 0
      let most = 0
      for await (const message of echo.count({ to: total })) {
        expect((message as string).length).toBe(size)
        read += 1
        most = Math.max(most, written - read)
        // Lets the writer run as far ahead as it may.
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(read).toBe(total)
      // Both queues, the windows of HTTP/2 and the buffers of the sockets together.
      expect(most * size).toBeLessThan(32 * 1_024 * 1_024)
    })

    test.each(['read to the end', 'left early', 'cancelled'] as const)(
      '200 streams %s leave nothing open',
      async (way) => {
        const { echo, server } = await startPair(options)
        for (let round = 0; round < 200; round++) {
          const controller = new AbortController()
          try {
            for await (const n of echo.count({ to: 4 }, { signal: controller.signal })) {
              if (n === 2 && way === 'left early') break
              if (n === 2 && way === 'cancelled') controller.abort('enough')
            }
          } catch (error) {
            if (way !== 'cancelled' || error !== 'enough') throw error
          }
        }
        const started = performance.now()
        await server.stop()
        // A stream left open would hold the stop until the drain deadline, and be told of as cancelled.
        expect(server.state).toBe('stopped')
        expect(performance.now() - started).toBeLessThan(2_000)
      },
    )
  },
)

describe('stopping', () => {
  test('running calls end, /readyz says no, and idle sockets are left to the client', async () => {
    const release = Promise.withResolvers<void>()
    const running = Promise.withResolvers<void>()
    const { echo, server, url } = await startPair(
      {},
      {
        say: async (input) => {
          running.resolve()
          await release.promise
          return input
        },
      },
      { shutdown: { signals: false, spread: 0, drain: 10_000 } },
    )
    const { hostname, port } = new URL(url)
    const idle = connect(Number(port), hostname)
    await once(idle, 'connect')
    const ask = async (path: string): Promise<string> => {
      idle.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`)
      const [chunk] = (await once(idle, 'data')) as [Buffer]
      return chunk.toString()
    }
    expect(await ask('/readyz')).toContain('200 OK')
    const call = echo.say({ text: 'in flight' })
    await running.promise
    const stopped = server.stop()
    await expect.poll(() => server.ready()).toBe(false)
    // The socket was idle while the server began to stop, and is still answered, for the last time.
    const answer = await ask('/readyz')
    expect(answer).toContain('503')
    expect(answer.toLowerCase()).toContain('connection: close')
    release.resolve()
    expect(await call).toEqual({ text: 'in flight' })
    await stopped
    idle.destroy()
  })

  test('calls that do not end in time are cancelled, and the stop goes on', async () => {
    const { echo, server, cancelled } = await startPair(
      {},
      {},
      { shutdown: { signals: false, spread: 0, drain: 50 } },
    )
    const call = echo.hang(undefined, { timeout: 20_000 }).catch((error: unknown) => error)
    await expect.poll(() => server.health().status).toBe('up')
    await new Promise((resolve) => setImmediate(resolve))
    await echo.say({ text: 'the other one has arrived by now' })
    await server.stop()
    expect(await cancelled).toMatchObject({ code: 'unavailable' })
    expect(await call).toMatchObject({ code: 'unavailable' })
  })

  test('while draining, a new call is refused as not processed', async () => {
    const release = Promise.withResolvers<void>()
    const running = Promise.withResolvers<void>()
    const { echo, server, url } = await startPair(
      {},
      {
        hang: async () => {
          running.resolve()
          await release.promise
        },
      },
      { shutdown: { signals: false, spread: 0, drain: 10_000 } },
    )
    const call = echo.hang()
    await running.promise
    const stopped = server.stop()
    await expect.poll(() => server.ready()).toBe(false)
    const response = await fetch(`${url}/echo/say`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"text":""}',
    })
    expect(response.status).toBe(503)
    expect(response.headers.get('micro-processed')).toBe('no')
    release.resolve()
    await call
    await stopped
  })
})
