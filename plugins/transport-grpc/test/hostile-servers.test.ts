import { constants } from 'node:http2'
import type { Socket } from 'node:net'
import { Context, rootContext } from '@micro/core/context'
import { describe, expect, test } from 'vitest'
import { answer, frame, rawServer, socketServer } from './support/raw-peer.ts'
import { dial, failure, headOf, say, serve } from './support/serve.ts'

describe('what is claimed of a call that failed', () => {
  test('nobody listens: not processed', async () => {
    const listener = await serve()
    await listener.close()
    expect(await failure(say(dial(listener.url)))).toMatchObject({
      code: 'unavailable',
      processed: 'no',
      detail: expect.stringContaining('ECONNREFUSED'),
    })
  })

  test('a server that says nothing is given up after connectTimeout: not processed', async () => {
    const url = await socketServer(() => undefined)
    expect(await failure(say(dial(url, { connectTimeout: 50 })))).toMatchObject({
      code: 'unavailable',
      processed: 'no',
      detail: expect.stringContaining('connectTimeout'),
    })
  })

  test('a server that speaks something else: not processed', async () => {
    const url = await socketServer((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))
    expect(await failure(say(dial(url)))).toMatchObject({ code: 'unavailable', processed: 'no' })
  })

  test('a stream that is refused: not processed', async () => {
    const { url } = await rawServer((stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM))
    expect(await failure(say(dial(url)))).toMatchObject({ code: 'unavailable', processed: 'no' })
  })

  test('a go-away: not processed above its last id, unknown below', async () => {
    const { url, sessions } = await rawServer((stream) => {
      if (stream.id === 5) {
        sessions[0]?.goaway(constants.NGHTTP2_NO_ERROR, 3)
        setTimeout(() => sessions[0]?.destroy(), 50)
      }
    })
    const connection = dial(url)
    // One is answered first, so that the others share a connection that is there.
    await connection.ping?.(new Context(rootContext, { timeout: 100 })).catch(() => undefined)
    const [low, high] = await Promise.all([failure(say(connection)), failure(say(connection))])
    expect(low).toMatchObject({ code: 'unavailable', processed: 'unknown' })
    expect(high).toMatchObject({ code: 'unavailable', processed: 'no' })
  })

  test.each([
    ['destroys the connection', (end: () => void, _reset: () => void) => end()],
    ['answers half and destroys it', (end: () => void) => setTimeout(end, 20)],
  ])('a server that takes the call and %s: unknown', async (_what, act) => {
    const { url, sessions } = await rawServer((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
      stream.write(frame('half', 0, 100))
      act(
        () => sessions[0]?.destroy(),
        () => stream.close(),
      )
    })
    expect(await failure(say(dial(url)))).toMatchObject({
      code: 'unavailable',
      processed: 'unknown',
    })
  })

  test('a mark that a server sets is taken, and none is made up', async () => {
    const marks = ['no', 'yes', undefined]
    const { url } = await rawServer((stream) => {
      const mark = marks.shift()
      answer(stream, undefined, { 'grpc-status': '14', 'micro-processed': mark })
    })
    const connection = dial(url)
    for (const processed of ['no', 'yes', 'unknown']) {
      expect(await failure(say(connection))).toMatchObject({ code: 'unavailable', processed })
    }
  })
})

describe('answers that are none', () => {
  test.each([
    ['no message', undefined, 'internal'],
    ['a status that is no number', '{}', 'unknown'],
  ])('%s', async (what, message, code) => {
    const status = what === 'no message' ? '0' : 'many'
    const { url } = await rawServer((stream) => answer(stream, message, { 'grpc-status': status }))
    expect(await failure(say(dial(url)))).toMatchObject({ code })
  })

  test('two messages', async () => {
    const { url } = await rawServer((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
      stream.write(Buffer.concat([frame('a'), frame('b')]))
    })
    expect(await failure(say(dial(url)))).toMatchObject({ code: 'internal', processed: 'yes' })
  })

  test.each([
    [401, 'unauthenticated'],
    [403, 'permission_denied'],
    [404, 'unimplemented'],
    [429, 'unavailable'],
    [503, 'unavailable'],
    [500, 'unknown'],
  ])('HTTP %i of a proxy, with its page', async (status, code) => {
    const { url } = await rawServer((stream) => {
      stream.respond({ ':status': status, 'content-type': 'text/html' })
      stream.end('<html>')
    })
    const connection = dial(url)
    expect(await failure(say(connection))).toMatchObject({ code })
    const stream = connection.stream(headOf('both'), new Context(rootContext))
    expect(await failure(stream.next())).toMatchObject({ code })
  })

  test.each([
    [constants.NGHTTP2_CANCEL, 'cancelled'],
    [constants.NGHTTP2_ENHANCE_YOUR_CALM, 'resource_exhausted'],
    [constants.NGHTTP2_INADEQUATE_SECURITY, 'permission_denied'],
    [constants.NGHTTP2_INTERNAL_ERROR, 'internal'],
  ])('a reset with code %i', async (reset, code) => {
    const { url } = await rawServer((stream) => stream.close(reset))
    expect(await failure(say(dial(url)))).toMatchObject({ code, processed: 'unknown' })
  })

  test('a reply above the limit, or one that expands above it, is not read on', async () => {
    const { url } = await rawServer((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
      stream.write(frame('', 0, 1 << 30))
    })
    expect(await failure(say(dial(url)))).toMatchObject({
      code: 'resource_exhausted',
      processed: 'yes',
    })
  })
})

test('a server that closes a connection under calls is called again on a new one', async () => {
  let calls = 0
  const { url, sessions } = await rawServer((stream) => {
    calls += 1
    if (calls === 1) sessions[0]?.destroy()
    else answer(stream, 'ok')
  })
  const connection = dial(url)
  expect(await failure(say(connection))).toMatchObject({ code: 'unavailable' })
  expect((await say(connection)).body.toString()).toBe('ok')
  expect(sessions).toHaveLength(2)
})

test('a server that goes silent loses its own connection, by a check that it does not answer', async () => {
  const { url: good } = await serve()
  const held: Socket[] = []
  const target = new URL(good)
  const { connect } = await import('node:net')
  // A wire that can be cut without either end being told.
  const url = await socketServer((socket) => {
    const upstream = connect(Number(target.port), target.hostname)
    upstream.on('error', () => undefined)
    socket.pipe(upstream).pipe(socket)
    socket.on('close', () => upstream.destroy())
    held.push(socket, upstream)
  })
  const connection = dial(url, { pingInterval: 100, pingTimeout: 100 })
  const stream = connection.stream(headOf('both'), new Context(rootContext))
  await stream.write(Buffer.from('first'))
  expect((await stream.next()).value?.toString()).toBe('first')
  for (const socket of held.splice(0)) {
    socket.unpipe()
    socket.pause()
  }
  expect(await failure(stream.next())).toMatchObject({ code: 'unavailable', processed: 'unknown' })
  // The next call dials anew.
  expect((await say(connection, 'again')).body.toString()).toBe('again')
})
