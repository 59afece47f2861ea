import { Context, rootContext } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import { describe, expect, test } from 'vitest'
import { hello, type RawPeer, rawServer, type } from './support/raw-peer.ts'
import { dial, headOf, say, serve } from './support/serve.ts'

async function failureOf(promise: Promise<unknown>): Promise<MicroError> {
  try {
    await promise
  } catch (error) {
    if (MicroError.is(error)) return error
    throw error
  }
  throw new Error('it did not fail')
}

/** A server that greets, and does `answer` to the first request. */
const answering = (answer: (peer: RawPeer) => void, first?: (peer: RawPeer) => void) =>
  rawServer(async (peer) => {
    first?.(peer)
    peer.send(type.hello, 0, hello)
    await peer.frame(type.request)
    answer(peer)
  })

const replyHead = Buffer.from('0000000000000000', 'hex')

describe('a server that', () => {
  test.each<[string, (peer: RawPeer) => void, RegExp]>([
    [
      'sends garbage',
      (peer) => peer.write(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')),
      /a frame of \d+ bytes/,
    ],
    ['answers a call that was not made', (peer) => peer.send(type.reply, 2, replyHead), /no call/],
    ['answers without lengths', (peer) => peer.send(type.reply, 1, Buffer.alloc(7)), /lengths/],
    [
      'claims more metadata than it sends',
      (peer) => peer.send(type.reply, 1, Buffer.from('0000000900000000', 'hex')),
      /shorter/,
    ],
    ['answers a call as a stream', (peer) => peer.send(type.open, 1), /unary/],
    ['sends a part of no reply', (peer) => peer.send(type.data, 1, Buffer.from('x')), /not begun/],
    [
      'sends an empty part',
      (peer) => {
        peer.send(type.reply, 1, Buffer.concat([replyHead, Buffer.from('x')]), 1)
        peer.send(type.data, 1, undefined, 1)
      },
      /empty part/,
    ],
    ['closes at once', (peer) => peer.socket.destroy(), /closed|ECONNRESET/],
    [
      'closes in the middle of a frame',
      (peer) => {
        peer.write(Buffer.from('0000ff', 'hex'))
        peer.socket.end()
      },
      /middle of a frame/,
    ],
  ])(
    '%s fails the call as unavailable, and nobody knows whether it was processed',
    async (_what, answer, told) => {
      const { url } = await answering(answer)
      const error = await failureOf(say(dial(url)))
      expect(error).toMatchObject({ code: 'unavailable', processed: 'unknown' })
      expect(error.detail).toMatch(told)
    },
  )

  test.each<[string, (peer: RawPeer) => void, RegExp]>([
    ['says nothing', () => undefined, /no handshake within 50 ms \(connectTimeout\)/],
    [
      'is of another kind',
      (peer) => peer.write(Buffer.from('220 smtp.example ESMTP\r\n')),
      /frame of|hello/,
    ],
    [
      'refuses us',
      (peer) => peer.send(type.goAway, 0, Buffer.concat([Buffer.alloc(4), Buffer.from('not you')])),
      /not you/,
    ],
    [
      'is too old',
      (peer) =>
        peer.send(type.hello, 0, Buffer.from(hello.toString('hex').replace('5001', '5000'), 'hex')),
      /version 0/,
    ],
  ])('%s was not given the call', async (_what, greet, told) => {
    const { url } = await rawServer(greet)
    const error = await failureOf(say(dial(url, { connectTimeout: 50 })))
    expect(error).toMatchObject({ code: 'unavailable', processed: 'no' })
    expect(error.detail).toMatch(told)
  })

  test('refuses new connections is dialled again for the next call', async () => {
    const server = await serve()
    const connection = dial(server.url)
    await say(connection, 'first')
    await server.close()
    expect(await failureOf(say(connection))).toMatchObject({ code: 'unavailable' })
  })

  test('goes away gets no call twice: those above its last id were not processed', async () => {
    const { url } = await rawServer(async (peer) => {
      peer.send(type.hello, 0, hello)
      await peer.frame(type.request)
      await peer.frame(type.request)
      peer.send(
        type.goAway,
        0,
        Buffer.concat([Buffer.from('00000001', 'hex'), Buffer.from('stopping')]),
      )
      peer.send(type.reply, 1, Buffer.concat([replyHead, Buffer.from('taken')]))
    })
    const connection = dial(url)
    const [first, second] = await Promise.all([say(connection), failureOf(say(connection))])
    expect(Buffer.from(first.body).toString()).toBe('taken')
    expect(second).toMatchObject({ code: 'unavailable', processed: 'no' })
    expect(second.detail).toMatch('stopping')
  })

  test('goes away is dialled again for new calls, while old ones go on', async () => {
    let connections = 0
    const { url } = await rawServer(async (peer) => {
      connections += 1
      const first = connections === 1
      peer.send(type.hello, 0, hello)
      await peer.frame(type.request)
      if (first) {
        const lastId = Buffer.from('00000001', 'hex')
        peer.send(type.goAway, 0, lastId)
        peer.send(type.ping, 7)
        await peer.frame(type.pong)
        told.resolve()
        await answered.promise
      }
      peer.send(type.reply, 1, Buffer.concat([replyHead, Buffer.from(first ? 'old' : 'new')]))
    })
    const told = Promise.withResolvers<void>()
    const answered = Promise.withResolvers<void>()
    const connection = dial(url)
    const old = say(connection)
    await told.promise
    expect(Buffer.from((await say(connection)).body).toString()).toBe('new')
    answered.resolve()
    expect(Buffer.from((await old).body).toString()).toBe('old')
    expect(connections).toBe(2)
  })

  test('never answers pings fails its calls', async () => {
    const { url } = await answering(() => undefined)
    const error = await failureOf(say(dial(url, { pingInterval: 30, pingTimeout: 30 })))
    expect(error).toMatchObject({ code: 'unavailable', processed: 'unknown' })
    expect(error.detail).toMatch('no answer to a ping within 30 ms')
  })

  test('stops reading is not sent all that is called: the rest waits, as long as it may', async () => {
    const peers = Promise.withResolvers<RawPeer>()
    const { url } = await rawServer((peer) => {
      peer.send(type.hello, 0, hello)
      peer.socket.pause()
      peers.resolve(peer)
    })
    const connection = dial(url, { maxBufferedBytes: 1 << 20 })
    const body = Buffer.alloc(1 << 20)
    const context = new Context(rootContext)
    const calls = Array.from({ length: 100 }, () =>
      failureOf(Promise.resolve(connection.unary(headOf('say'), body, context))),
    )
    const { socket } = await peers.promise
    context.cancel(new MicroError('cancelled', 'enough'))
    for (const error of await Promise.all(calls)) expect(error.code).toBe('cancelled')
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.resume()
    await connection.close()
    await closed
    // The beginnings of a hundred calls alone would be six megabytes.
    expect(socket.bytesRead).toBeLessThan(4 << 20)
  })

  test('takes few calls at once makes the others wait, each as long as it may', async () => {
    const server = await serve({ maxCalls: 2 })
    const connection = dial(server.url)
    const bodies = Array.from({ length: 50 }, (_, at) => String(at))
    const replies = await Promise.all(bodies.map((body) => say(connection, body)))
    expect(replies.map(({ body }) => Buffer.from(body).toString())).toEqual(bodies)
  })

  test('takes few calls at once lets one go that has waited too long', async () => {
    const hanging = await serve(
      { maxCalls: 1 },
      {
        unary: (_head, _body, context) =>
          new Promise((_resolve, reject) => context.onCancel(reject)),
      },
    )
    const connection = dial(hanging.url)
    const first = new Context(rootContext)
    const held = failureOf(say(connection, '', first))
    expect(
      await failureOf(say(connection, '', new Context(rootContext, { timeout: 50 }))),
    ).toMatchObject({ code: 'deadline_exceeded' })
    first.cancel(new MicroError('aborted', 'mine'))
    expect(await held).toMatchObject({ code: 'aborted' })
  })

  test('sends more than the client takes fails that call only', async () => {
    const { url } = await serve(
      {},
      { unary: (_head, body) => ({ body: Buffer.alloc(body.length * 1_000) }) },
    )
    const connection = dial(url, { maxMessageSize: 200_000 })
    expect(await failureOf(say(connection, 'x'.repeat(1_000)))).toMatchObject({
      code: 'resource_exhausted',
      processed: 'yes',
    })
    expect((await say(connection, 'x')).body.length).toBe(1_000)
  })

  test('answers too much in parts is told to stop', async () => {
    const { url } = await rawServer(async (peer) => {
      peer.send(type.hello, 0, hello)
      await peer.frame(type.request)
      peer.send(type.reply, 1, Buffer.concat([replyHead, Buffer.alloc(60_000)]), 1)
      peer.send(type.data, 1, Buffer.alloc(60_000), 1)
      await peer.frame(type.cancel)
      await peer.frame(type.request)
      peer.send(type.reply, 2, Buffer.concat([replyHead, Buffer.from('well')]))
    })
    const connection = dial(url, { maxMessageSize: 100_000 })
    expect(await failureOf(say(connection))).toMatchObject({ code: 'resource_exhausted' })
    expect(Buffer.from((await say(connection)).body).toString()).toBe('well')
  })

  test('tells an error badly still fails the call', async () => {
    const { url } = await answering((peer) => peer.send(type.error, 1, Buffer.from('no JSON')))
    expect(await failureOf(say(dial(url)))).toMatchObject({ code: 'unknown' })
  })

  test('floods a stream without credit loses the connection', async () => {
    let onClosed: () => void
    const closed = new Promise<void>((resolve) => {
      onClosed = resolve
    })
    const { url } = await rawServer(async (peer) => {
      peer.socket.once('close', onClosed)
      peer.send(type.hello, 0, hello)
      await peer.frame(type.request)
      for (let at = 0; at < 20; at++) peer.send(type.data, 1, Buffer.alloc(60_000))
    })
    const context = new Context(rootContext)
    const stream = dial(url).stream(headOf('both'), context)
    const error = await failureOf(
      (async () => {
        await stream.headers
        // Takes one message only, so that no credit is given back.
        await stream.next()
        await closed
        for await (const _ of stream) void _
      })(),
    )
    expect(error).toMatchObject({ code: 'unavailable' })
    expect(error.detail).toMatch('without credit')
  })
})
