import { once } from 'node:events'
import type { TcpTransportOptions } from '@micro/plugin-transport-tcp'
import { describe, expect, test } from 'vitest'
import {
  encode,
  greetedClient,
  hello,
  methodOf,
  type RawPeer,
  rawClient,
  request,
  type,
} from './support/raw-peer.ts'
import { dial, say, serve, until } from './support/serve.ts'

/** What a peer does, and what it is told. */
const offences: Record<string, [offence: (peer: RawPeer) => void, told: RegExp]> = {
  'sends something else than a frame': [
    (peer) => peer.write(Buffer.from('GET / HTTP/1.1\r\n\r\n')),
    /a frame of \d+ bytes; 65536 at most/,
  ],
  'announces a frame that is too long': [
    (peer) => peer.write(Buffer.from('00010001' + '04' + '00' + '00000001', 'hex')),
    /a frame of 65537 bytes/,
  ],
  'sends a frame of no known type': [(peer) => peer.send(99, 0), /frame 99/],
  'greets twice': [(peer) => peer.send(type.hello, 0, hello), /frame 1/],
  'answers as if it were the server': [(peer) => peer.send(type.reply, 1), /frame 6/],
  'calls no method': [(peer) => peer.send(type.request, 1, request('', 9)), /no method/],
  'numbers methods as it likes': [
    (peer) => peer.send(type.method, 7, methodOf('say')),
    /numbered from 0/,
  ],
  'names a method badly': [(peer) => peer.send(type.method, 2, Buffer.from('a\0b')), /malformed/],
  'sends a request without a head': [
    (peer) => peer.send(type.request, 1, Buffer.alloc(11)),
    /without its head/,
  ],
  'claims more metadata than it sends': [
    (peer) => peer.send(type.request, 1, Buffer.from('00000000ffffffff000000ff', 'hex')),
    /shorter than its metadata/,
  ],
  'uses an id again': [
    (peer) => {
      peer.send(type.request, 3, request())
      peer.send(type.request, 3, request())
    },
    /id 3 after 3/,
  ],
  'goes back to an id below': [
    (peer) => {
      peer.send(type.request, 3, request())
      peer.send(type.request, 2, request())
    },
    /id 2 after 3/,
  ],
  'sends data for a call that was never made': [
    (peer) => peer.send(type.data, 9, Buffer.from('x')),
    /no call/,
  ],
  'sends two messages in a unary call': [
    (peer) => {
      peer.send(type.request, 1, request('hang'))
      peer.send(type.data, 1, Buffer.from('again'))
    },
    /second message/,
  ],
  'sends an empty part': [
    (peer) => {
      peer.send(type.request, 1, request('x'), 1)
      peer.send(type.data, 1, undefined, 1)
    },
    /empty part/,
  ],
  'begins a stream with a message': [
    (peer) => peer.send(type.request, 1, request('x', 1)),
    /begins without a message/,
  ],
  'sends a stream more than it has credit for': [
    (peer) => {
      peer.send(type.request, 1, request('', 1))
      const part = Buffer.alloc(60_000)
      for (let at = 0; at < 10; at++) peer.send(type.data, 1, part)
    },
    /without credit/,
  ],
  'gives credit in no number': [
    (peer) => {
      peer.send(type.request, 1, request('', 1))
      peer.send(type.credit, 1, Buffer.alloc(3))
    },
    /credit/,
  ],
}

describe('a client that', () => {
  test.each(Object.entries(offences))(
    '%s loses its connection, and is told why',
    async (_what, [offence, told]) => {
      const { url } = await serve(
        {},
        {
          unary: (_head, body, context) =>
            Buffer.from(body).toString() === 'hang' ? until(context) : { body },
          // Reads nothing.
          stream: (_head, _stream, context) => until(context),
        },
      )
      const other = dial(url)
      await say(other, 'before')
      const peer = await greetedClient(url)
      offence(peer)
      expect(await peer.refused()).toMatch(told)
      expect(Buffer.from((await say(other, 'after')).body).toString()).toBe('after')
    },
  )

  test.each([
    ['is of another kind', Buffer.from('00000000' + '01' + '00' + '00000000', 'hex')],
    [
      'has another magic',
      encode(type.hello, 0, Buffer.concat([Buffer.from('HTTP'), hello.subarray(4)])),
    ],
    [
      'is of version 0',
      encode(type.hello, 0, Buffer.from(hello.toString('hex').replace('5001', '5000'), 'hex')),
    ],
    ['does not greet', encode(type.ping, 0)],
  ])('%s is refused', async (_what, bytes) => {
    const { url } = await serve()
    const peer = await rawClient(url)
    peer.write(bytes)
    expect(await peer.refused()).toMatch(/hello|version 0/)
  })

  test('says nothing is let go after connectTimeout', async () => {
    const { url } = await serve({ connectTimeout: 50 })
    const peer = await rawClient(url)
    await once(peer.socket, 'close')
  })

  test('closes in the middle of a frame ends its calls', async () => {
    const cancelled = Promise.withResolvers<unknown>()
    const { url } = await serve(
      {},
      {
        unary(_head, _body, context) {
          context.onCancel(cancelled.resolve)
          return until(context)
        },
      },
    )
    const peer = await greetedClient(url)
    peer.send(type.request, 1, request('mine'))
    peer.write(Buffer.from('0000ff', 'hex'))
    peer.socket.end()
    expect(await cancelled.promise).toMatchObject({ code: 'cancelled' })
  })

  test('never answers pings is let go', async () => {
    const { url } = await serve({ pingInterval: 30, pingTimeout: 30 })
    const peer = await greetedClient(url)
    await peer.frame(type.ping)
    await once(peer.socket, 'close')
  })

  test('answers pings is kept', async () => {
    const { url } = await serve({ pingInterval: 30, pingTimeout: 5_000 })
    const peer = await greetedClient(url)
    for (let round = 0; round < 3; round++) peer.send(type.pong, (await peer.frame(type.ping)).id)
    peer.send(type.request, 1, request('still here'))
    expect((await peer.frame(type.reply)).payload.toString('utf8', 8)).toBe('still here')
  })
})

describe('a client that floods', () => {
  const refusal = async (
    peer: RawPeer,
  ): Promise<{ code: string; processed: string; detail: string }> =>
    JSON.parse((await peer.frame(type.error)).payload.toString())
  const hanging = {
    unary: (_head: unknown, _body: unknown, context: Parameters<typeof until>[0]) => until(context),
  }
  const flooded = (options: TcpTransportOptions) => serve(options, hanging)

  test('with calls is refused those above maxCalls', async () => {
    const { url } = await flooded({ maxCalls: 2 })
    const peer = await greetedClient(url)
    for (const id of [1, 2, 3]) peer.send(type.request, id, request())
    expect(await refusal(peer)).toMatchObject({
      code: 'resource_exhausted',
      processed: 'no',
      detail: expect.stringContaining('maxCalls'),
    })
  })

  test('with large requests is refused those above maxPendingBytes, until others have ended', async () => {
    const { url } = await flooded({ maxPendingBytes: 100_000 })
    const peer = await greetedClient(url)
    peer.send(type.request, 1, request(Buffer.alloc(60_000)))
    peer.send(type.request, 2, request(Buffer.alloc(60_000)))
    expect(await refusal(peer)).toMatchObject({
      code: 'resource_exhausted',
      processed: 'no',
      detail: expect.stringContaining('maxPendingBytes'),
    })
    // In parts, too.
    peer.send(type.request, 3, request(Buffer.alloc(30_000)), 1)
    peer.send(type.data, 3, Buffer.alloc(30_000), 1)
    expect(await refusal(peer)).toMatchObject({
      detail: expect.stringContaining('maxPendingBytes'),
    })
    peer.send(type.cancel, 1)
    peer.send(type.request, 4, request(Buffer.alloc(60_000)))
    peer.send(type.request, 5, request(Buffer.alloc(60_000)))
    const { id } = await peer.frame(type.error)
    expect(id).toBe(5)
  })

  test('with methods is let go', async () => {
    const { url } = await serve()
    const peer = await greetedClient(url)
    peer.write(
      Buffer.concat(
        Array.from({ length: 4_200 }, (_, at) => encode(type.method, at + 2, methodOf(`m${at}`))),
      ),
    )
    expect(await peer.refused()).toMatch(/more than 4096 methods/)
  })

  test('with metadata is refused the call', async () => {
    const { url } = await serve({ maxHeaderSize: 1_024 })
    const peer = await greetedClient(url)
    const metadata = Buffer.from(`x-a\0${'v'.repeat(2_000)}\0`)
    const head = Buffer.from('00000000ffffffff00000000', 'hex')
    head.writeUInt32BE(metadata.length, 8)
    peer.send(type.request, 1, Buffer.concat([head, metadata]))
    expect(await refusal(peer)).toMatchObject({ code: 'resource_exhausted', processed: 'no' })
    const bad = Buffer.from('x-a\0one')
    head.writeUInt32BE(bad.length, 8)
    peer.send(type.request, 2, Buffer.concat([head, bad]))
    expect(await refusal(peer)).toMatchObject({ code: 'invalid_argument', processed: 'no' })
  })

  test('with sockets is closed above maxConnections', async () => {
    const { url } = await serve({ maxConnections: 1 })
    await greetedClient(url)
    const second = await rawClient(url)
    await once(second.socket, 'close')
  })

  test('and reads nothing is not read from, costs little, and is let go in the end', async () => {
    const answer = Buffer.alloc(1 << 20)
    let served = 0
    const { url } = await serve(
      { maxBufferedBytes: 4 << 20, pingInterval: 200 },
      {
        unary() {
          served += 1
          return { body: answer }
        },
      },
    )
    const peer = await greetedClient(url)
    peer.socket.pause()
    const closed = new Promise((resolve) => peer.socket.once('close', resolve))
    const flood = Buffer.concat(
      Array.from({ length: 1_000 }, (_, at) => encode(type.request, at + 1, request())),
    )
    peer.write(flood)
    // It hears of nothing while paused; its writes fail once the server has let go.
    const poke = setInterval(() => peer.write(encode(type.ping, 0)), 20)
    await closed
    clearInterval(poke)
    // Of the thousand megabytes that it asked for.
    expect(served).toBeLessThan(100)
    expect(Buffer.from((await say(dial(url), 'x')).body).length).toBe(1 << 20)
  })
})
