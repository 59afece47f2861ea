import { once } from 'node:events'
import { constants } from 'node:http2'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { answerOf, frame, rawCall, rawClient, rawSocket } from './support/raw-peer.ts'
import { dial, say, serve, until } from './support/serve.ts'

/** Whoever did what it did before, others are served. */
async function expectAlive(url: string): Promise<void> {
  expect((await say(dial(url), 'alive')).body.toString()).toBe('alive')
}

test.each([
  ['HTTP/1.1', 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'],
  ['random bytes', '\x00\xff\x13\x37 not a protocol at all \x00\x00\x00'],
  [
    'a frame that is too long',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\x04\x00\x00\x00\x00\x00',
  ],
])('a client that sends %s loses its own connection', async (_what, bytes) => {
  const { url } = await serve()
  const socket = await rawSocket(url)
  const closed = once(socket, 'close')
  socket.resume()
  socket.write(Buffer.from(bytes, 'latin1'))
  await closed
  await expectAlive(url)
})

test.each([
  ['a message that is too large', frame('', 0, 5 << 20), 'resource_exhausted', '8'],
  ['a flag that is not known', frame('x', 7), 'invalid_argument', '3'],
  ['half a message', frame('x', 0, 9), 'invalid_argument', '3'],
  ['no message', Buffer.alloc(0), 'invalid_argument', '3'],
  ['two messages', Buffer.concat([frame('a'), frame('b')]), 'invalid_argument', '3'],
  ['a compressed message without an encoding', frame('x', 1), 'internal', '13'],
])('a unary call with %s is refused, not processed', async (_what, bytes, _code, status) => {
  const { url } = await serve()
  const stream = rawCall(await rawClient(url))
  stream.end(bytes)
  expect(await answerOf(stream)).toMatchObject({ 'grpc-status': status, 'micro-processed': 'no' })
  await expectAlive(url)
})

test('a small message that expands beyond the limit is refused', async () => {
  const { url } = await serve({ maxMessageSize: 10_000 })
  const stream = rawCall(await rawClient(url), undefined, { 'grpc-encoding': 'gzip' })
  const data = gzipSync(Buffer.alloc(1_000_000))
  const head = Buffer.alloc(5)
  head[0] = 1
  head.writeUInt32BE(data.length, 1)
  stream.end(Buffer.concat([head, data]))
  expect(await answerOf(stream)).toMatchObject({ 'grpc-status': '8', 'micro-processed': 'no' })
})

test.each([
  ['an encoding that is not known', { 'grpc-encoding': 'snappy' }, '12'],
  ['a timeout that is none', { 'grpc-timeout': 'soon' }, '3'],
])('a call with %s is refused', async (_what, headers, status) => {
  const { url } = await serve()
  const stream = rawCall(await rawClient(url), undefined, headers)
  stream.end(frame('x', 'grpc-encoding' in headers ? 1 : 0))
  expect(await answerOf(stream)).toMatchObject({ 'grpc-status': status, 'micro-processed': 'no' })
})

test('what is no gRPC is answered with 415, and a method that is not known with its name', async () => {
  const { url } = await serve()
  const session = await rawClient(url)
  const page = rawCall(session, undefined, { 'content-type': 'text/html' })
  page.end()
  expect(await answerOf(page)).toMatchObject({ ':status': 415 })
  const missing = rawCall(session, '/conformance/nothing')
  missing.end()
  expect(await answerOf(missing)).toMatchObject({
    'grpc-status': '12',
    'grpc-message': expect.stringContaining('/conformance/nothing'),
    'micro-processed': 'no',
  })
})

test('headers above the limit cost their call only', async () => {
  const { url } = await serve({ maxHeaderSize: 2_048 })
  const session = await rawClient(url)
  // The limit holds from the moment the client has heard of it.
  await once(session, 'remoteSettings')
  const large = rawCall(session, undefined, { 'x-large': 'x'.repeat(10_000) })
  large.end(frame('x'))
  await answerOf(large)
  expect(large.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM)
  const small = rawCall(session)
  small.end(frame('x'))
  expect(await answerOf(small)).toMatchObject({ 'grpc-status': '0' })
})

test('a request that comes too slowly is refused in the end', async () => {
  const { url } = await serve({ requestTimeout: 100 })
  const stream = rawCall(await rawClient(url))
  stream.write(frame('half', 0, 8))
  expect(await answerOf(stream)).toMatchObject({ 'grpc-status': '4', 'micro-processed': 'no' })
  await expectAlive(url)
})

test('half-received requests of one connection are bounded together, and what was held is let go', async () => {
  const { url } = await serve({ maxPendingBytes: 200_000 })
  const session = await rawClient(url)
  const streams = Array.from({ length: 5 }, () => rawCall(session))
  const answers = streams.map(answerOf)
  for (const stream of streams) stream.write(frame('x'.repeat(60_000), 0, 100_000))
  const first = await Promise.race(answers)
  expect(first).toMatchObject({ 'grpc-status': '8', 'micro-processed': 'no' })
  for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL)
  await Promise.all(answers)
  const again = rawCall(session)
  again.end(frame('x'.repeat(60_000)))
  expect(await answerOf(again)).toMatchObject({ 'grpc-status': '0' })
})

test('a connection has no more calls at once than maxStreams, and others their own', async () => {
  let running = 0
  let most = 0
  const { url } = await serve(
    { maxStreams: 10 },
    {
      async unary(_head, body, context) {
        if (body.length === 0) return { body }
        running += 1
        most = Math.max(most, running)
        return until(context)
      },
    },
  )
  const session = await rawClient(url)
  await once(session, 'remoteSettings')
  for (let at = 0; at < 100; at++) rawCall(session).end(frame('hang'))
  await expect.poll(() => running).toBe(10)
  await say(dial(url))
  expect(most).toBe(10)
})

test('3,000 calls that are cancelled one after the other cost no other call', async () => {
  const release = Promise.withResolvers<void>()
  const entered = Promise.withResolvers<void>()
  const { url } = await serve(
    {},
    {
      async unary(_head, body, context) {
        if (body.length > 0) return until(context)
        entered.resolve()
        await release.promise
        return { body }
      },
    },
  )
  const session = await rawClient(url)
  const other = rawCall(session)
  other.end(frame(''))
  const answered = answerOf(other)
  await entered.promise
  for (let round = 0; round < 30; round++) {
    const streams = Array.from({ length: 100 }, () => rawCall(session))
    const closed = streams.map(answerOf)
    for (const stream of streams) stream.end(frame('x'))
    for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL)
    await Promise.all(closed)
  }
  release.resolve()
  expect(await answered).toMatchObject({ 'grpc-status': '0' })
})

test('a client that resets a flood of calls is let go, and cancels what it began', async () => {
  let begun = 0
  let cancelled = 0
  const { url } = await serve(
    {},
    {
      unary(_head, _body, context) {
        begun += 1
        context.onCancel(() => {
          cancelled += 1
        })
        return until(context)
      },
      find: (service, name) => ({
        service,
        name,
        kind: 'unary',
        idempotency: 'unknown',
        contentTypes: ['application/json'],
      }),
    },
  )
  const session = await rawClient(url)
  for (let round = 0; round < 20; round++) {
    for (let at = 0; at < 100 && !session.destroyed; at++) {
      const stream = rawCall(session)
      stream.end(frame('x'), () => stream.close(constants.NGHTTP2_CANCEL))
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  session.destroy()
  await expect.poll(() => begun - cancelled).toBe(0)
})

test('a client that closes in the middle of a message cancels the stream', async () => {
  const outcome = Promise.withResolvers<unknown>()
  const first = Promise.withResolvers<void>()
  const { url } = await serve(
    {},
    {
      async stream(_head, stream) {
        await stream.next()
        first.resolve()
        outcome.resolve(await stream.next().catch((error: unknown) => error))
        return undefined
      },
    },
  )
  const session = await rawClient(url)
  const stream = rawCall(session, '/conformance/both')
  stream.write(Buffer.concat([frame('whole'), frame('half', 0, 100)]))
  await first.promise
  session.destroy()
  expect(await outcome.promise).toMatchObject({ code: 'cancelled' })
  await expectAlive(url)
})

test('a client that does not read holds its own stream back only', async () => {
  let written = 0
  const { url } = await serve(
    {},
    {
      async stream(_head, stream) {
        const message = Buffer.alloc(8_192)
        for (;;) {
          await stream.write(message)
          written += 1
        }
      },
    },
  )
  const stream = rawCall(await rawClient(url), '/conformance/both')
  stream.pause()
  let seen = -1
  await expect
    .poll(
      () => {
        const still = seen === written && written > 0
        seen = written
        return still
      },
      { interval: 200, timeout: 10_000 },
    )
    .toBe(true)
  // Windows and buffers of both sides: unread messages beyond do not pile up.
  expect(written * 8_192).toBeLessThan(32 << 20)
  await expectAlive(url)
})

test('a client that never answers pings is let go', async () => {
  const { url } = await serve({ pingInterval: 50, pingTimeout: 50 })
  const socket = await rawSocket(url)
  const closed = once(socket, 'close')
  socket.resume()
  // A connection is opened, and nothing more is said.
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0')
  await closed
  await expectAlive(url)
})

test('sockets beyond maxConnections are closed at once', async () => {
  const { url } = await serve({ maxConnections: 2 })
  await rawSocket(url)
  const session = await rawClient(url)
  const third = await rawSocket(url)
  await once(third.resume(), 'close')
  const stream = rawCall(session)
  stream.end(frame('x'))
  expect(await answerOf(stream)).toMatchObject({ 'grpc-status': '0' })
})
