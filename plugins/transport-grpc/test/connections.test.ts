import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { constants, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as grpc from '@grpc/grpc-js'
import { Context, rootContext } from '@micro/core/context'
import { Metadata } from '@micro/core/metadata'
import { describe, expect, test } from 'vitest'
import { afterwards } from './support/closing.ts'
import { answer, answerOf, frame, rawCall, rawClient, rawServer } from './support/raw-peer.ts'
import { dial, failure, headOf, say, serve, until } from './support/serve.ts'

describe('one connection', () => {
  test('serves all calls to an address, and its end frees it', async () => {
    const { url, sessions } = await rawServer((stream) => answer(stream, 'ok'))
    const connection = dial(url)
    await Promise.all(Array.from({ length: 200 }, () => say(connection)))
    expect(sessions).toHaveLength(1)
    const closed = once(sessions[0] as object as NodeJS.EventEmitter, 'close')
    await connection.drain()
    await closed
  })

  test('closing ends every stream, and leaves none at the server', async () => {
    const open = new Set<Context>()
    const listener = await serve(
      {},
      {
        stream(_head, stream, context) {
          open.add(context)
          context.onCancel(() => open.delete(context))
          stream.open()
          return until(context)
        },
      },
    )
    const connection = dial(listener.url)
    const streams = Array.from({ length: 20 }, () =>
      connection.stream(headOf('both'), new Context(rootContext)),
    )
    await Promise.all(streams.map(({ headers }) => headers))
    expect(open.size).toBe(20)
    await connection.close()
    for (const stream of streams) {
      expect(await failure(stream.next())).toMatchObject({ code: 'unavailable' })
    }
    await expect.poll(() => open.size).toBe(0)
  })

  test('keeps the process while a call runs, and lets it end afterwards', async () => {
    const { url } = await serve()
    const program = join(import.meta.dirname, 'support/one-call.ts')
    const { stdout } = await promisify(execFile)(process.execPath, [program, url])
    expect(stdout.trim()).toBe('answered: hello')
  })
})

describe('signs of life', () => {
  test('a silent call is kept alive by checks and not by PING frames, which servers count', async () => {
    let pings = 0
    let checks = 0
    const release = Promise.withResolvers<void>()
    const { url, sessions } = await rawServer((stream, headers) => {
      if (headers[':path'] === '/grpc.health.v1.Health/Check') {
        checks += 1
        // Not every server has health checks. That is an answer, too.
        answer(stream, undefined, { 'grpc-status': '12' })
        if (checks === 3) release.resolve()
      } else void release.promise.then(() => answer(stream, 'late'))
    })
    const connection = dial(url, { pingInterval: 50, pingTimeout: 5_000 })
    const reply = say(connection, 'x')
    await expect.poll(() => sessions.length).toBe(1)
    sessions[0]?.on('ping', () => {
      pings += 1
    })
    expect((await reply).body.toString()).toBe('late')
    expect(checks).toBeGreaterThanOrEqual(3)
    expect(pings).toBe(0)
  })

  test('an idle connection is left in peace', async () => {
    let checks = 0
    const { url } = await rawServer((stream, headers) => {
      if (headers[':path'] === '/grpc.health.v1.Health/Check') checks += 1
      answer(stream, 'ok')
    })
    const connection = dial(url, { pingInterval: 20, pingTimeout: 5_000 })
    await say(connection)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(checks).toBe(0)
  })

  test('accepted calls outlive a go-away, whoever keeps the connection alive', async () => {
    const entered = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    const listener = await serve(
      { pingInterval: 30, pingTimeout: 1_000 },
      {
        async unary(_head, body) {
          entered.resolve()
          await release.promise
          return { body }
        },
      },
    )
    const connection = dial(listener.url, { pingInterval: 30, pingTimeout: 1_000 })
    const reply = say(connection, 'accepted')
    await entered.promise
    const drained = listener.drain()
    // Many intervals of both sides.
    await new Promise((resolve) => setTimeout(resolve, 300))
    release.resolve()
    expect((await reply).body.toString()).toBe('accepted')
    await drained
  })

  test('ping asks the application: any answer will do, and a frozen one gives none', async () => {
    const { url } = await rawServer((stream) => {
      answer(stream, undefined, { 'grpc-status': '12' })
    })
    await dial(url).ping?.(new Context(rootContext))
    const frozen = await rawServer(() => undefined)
    const context = new Context(rootContext, { timeout: 100 })
    const outcome = await failure(dial(frozen.url).ping?.(context) as Promise<void>)
    expect(outcome).toMatchObject({ code: 'deadline_exceeded' })
  })

  test('the last sign of life of a silent stream is that of its connection', async () => {
    const { url } = await serve(
      { pingInterval: 50, pingTimeout: 5_000 },
      {
        stream(_head, stream, context) {
          stream.open()
          return until(context)
        },
      },
    )
    const stream = dial(url).stream(headOf('both'), new Context(rootContext))
    await stream.headers
    const before = stream.lastActivity
    // The server's own pings.
    await expect.poll(() => stream.lastActivity, { timeout: 5_000 }).toBeGreaterThan(before + 100)
  })

  test('a server that has enough of us is called again', async () => {
    let calls = 0
    const { url, sessions } = await rawServer((stream) => {
      calls += 1
      if (calls > 1) answer(stream, 'ok')
      else
        sessions[0]?.goaway(
          constants.NGHTTP2_ENHANCE_YOUR_CALM,
          stream.id as number,
          Buffer.from('too_many_pings'),
        )
    })
    const connection = dial(url)
    expect(await failure(say(connection))).toMatchObject({ code: 'unavailable' })
    expect((await say(connection)).body.toString()).toBe('ok')
  })
})

describe('memory', () => {
  test('large messages many at once pass as it comes, and not above maxSessionMemory', async () => {
    const body = Buffer.alloc(1 << 20, 7)
    const many = async (options: { maxSessionMemory?: number }): Promise<unknown[]> => {
      const connection = dial((await serve(options)).url, options)
      return Promise.all(Array.from({ length: 32 }, () => failure(say(connection, body))))
    }
    expect((await many({})).filter((one) => one !== undefined)).toEqual([])
    expect(await many({ maxSessionMemory: 1 })).toContainEqual(
      expect.objectContaining({ code: 'resource_exhausted' }),
    )
  })

  test('a writer that awaits does not run ahead of its reader', async () => {
    let written = 0
    const size = 65_536
    const total = 1_000
    const { url } = await serve(
      {},
      {
        async stream(_head, stream) {
          const message = Buffer.alloc(size)
          for (let at = 0; at < total; at++) {
            await stream.write(message)
            written += 1
          }
          return undefined
        },
      },
    )
    const stream = dial(url).stream(headOf('both'), new Context(rootContext))
    let read = 0
    let most = 0
    for await (const message of stream) {
      expect(message.length).toBe(size)
      read += 1
      most = Math.max(most, written - read)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(read).toBe(total)
    expect(most * size).toBeLessThan(32 << 20)
  })
})

describe('metadata', () => {
  test.each(['connection', 'te', 'grpc-timeout', 'content-type'])(
    '"%s" is refused by name before anything is sent, and the connection stays',
    async (name) => {
      const { url } = await serve()
      const connection = dial(url)
      const metadata = new Metadata({ [name]: 'x' })
      expect(await failure(say(connection, '', undefined, metadata))).toMatchObject({
        code: 'invalid_argument',
        processed: 'no',
        detail: expect.stringContaining(`"${name}"`),
      })
      expect((await say(connection, 'alive')).body.toString()).toBe('alive')
    },
  )

  test('a handler whose headers are none answers with a failure', async () => {
    const { url } = await serve(
      {},
      { unary: (_head, body) => ({ body, headers: new Metadata({ connection: 'x' }) }) },
    )
    expect(await failure(say(dial(url)))).toMatchObject({ code: 'invalid_argument' })
  })

  test('bytes come padded, not padded, and several as one', async () => {
    const seen: Metadata[] = []
    const { url } = await serve(
      {},
      {
        unary(head, body) {
          seen.push(head.metadata)
          return { body }
        },
      },
    )
    const stream = rawCall(await rawClient(url), undefined, {
      'x-one-bin': 'AQI=',
      'x-two-bin': 'AQ, Ag==',
    })
    stream.end(frame('x'))
    expect(await answerOf(stream)).toMatchObject({ 'grpc-status': '0' })
    expect(seen[0]?.getBinary('x-one-bin')).toEqual(Uint8Array.of(1, 2))
    expect(seen[0]?.getAll('x-two-bin')).toEqual(['AQ', 'Ag'])
  })
})

describe('content-types', () => {
  test.each([
    ['application/grpc', 'application/proto', 'application/grpc'],
    ['application/grpc+proto', 'application/proto', 'application/grpc+proto'],
    ['application/grpc+json', 'application/json', 'application/grpc+json'],
    ['application/grpc;charset=utf-8', 'application/proto', 'application/grpc'],
    ['application/grpc+msgpack', 'application/msgpack', 'application/grpc+msgpack'],
  ])('%s is %s', async (asked, contentType, answered) => {
    const seen: string[] = []
    const { url } = await serve(
      {},
      {
        unary(head, body) {
          seen.push(head.contentType)
          return { body }
        },
      },
    )
    const stream = rawCall(await rawClient(url), undefined, { 'content-type': asked })
    stream.end(frame('x'))
    expect(await answerOf(stream)).toMatchObject({ 'content-type': answered })
    expect(seen).toEqual([contentType])
  })

  test('ours say what they hold, and give the time that is left', async () => {
    const seen: unknown[] = []
    const { url } = await rawServer((stream, headers) => {
      seen.push(headers['content-type'], headers['grpc-timeout'], headers['te'])
      answer(stream, '{}')
    })
    const connection = dial(url)
    await say(connection, '{}', new Context(rootContext, { timeout: 2_000 }))
    expect(seen).toEqual(['application/grpc+json', expect.stringMatching(/^\d{1,4}m$/), 'trailers'])
    await say(connection, '{}', new Context(rootContext, { timeout: 1e9 }))
    expect(seen[4]).toMatch(/^\d{1,8}S$/)
  })
})

test('a deadline of years is none that has passed', async () => {
  const left: number[] = []
  const { url } = await serve(
    {},
    {
      unary(_head, body, context) {
        left.push(context.remaining())
        return { body }
      },
    },
  )
  const session = await rawClient(url)
  for (const timeout of ['99999999H', '99999999S', '5000000u']) {
    const stream = rawCall(session, undefined, { 'grpc-timeout': timeout })
    stream.end(frame('x'))
    expect(await answerOf(stream)).toMatchObject({ 'grpc-status': '0' })
  }
  expect(left[0]).toBeGreaterThan(1e14)
  expect(left[2]).toBeLessThanOrEqual(5_000)
})

test('grpc-js keeps its connection alive against our server while that is idle', async () => {
  const { url } = await serve()
  const client = new grpc.Client(new URL(url).host, grpc.credentials.createInsecure(), {
    'grpc.keepalive_time_ms': 20,
    'grpc.keepalive_permit_without_calls': 1,
  })
  afterwards(() => client.close())
  const call = () =>
    new Promise((resolve, reject) => {
      const same = (bytes: Buffer): Buffer => bytes
      client.makeUnaryRequest('/conformance/say', same, same, Buffer.from('x'), (error, value) =>
        error === null ? resolve(value) : reject(error),
      )
    })
  await call()
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(String(await call())).toBe('x')
})

test('a port that is taken is told by its address', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterwards(() => server.close())
  const { port } = server.address() as AddressInfo
  expect(await failure(serve({ port }))).toMatchObject({
    code: 'already_exists',
    detail: expect.stringContaining(`127.0.0.1:${port}`),
  })
})
