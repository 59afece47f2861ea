import { expect, test } from 'vitest'
import {
  encode,
  greetedClient,
  methodOf,
  rawClient,
  rawServer,
  request,
  type,
} from './support/raw-peer.ts'
import { dial, say, serve } from './support/serve.ts'

test('a client writes the bytes of the specification', async () => {
  const peers = Promise.withResolvers<string>()
  const { url } = await rawServer(async (peer) => {
    let bytes = ''
    peer.socket.on('data', (chunk: Buffer) => {
      bytes += chunk.toString('hex')
    })
    expect((await peer.frame()).type).toBe(type.hello)
    peer.send(type.hello, 0, Buffer.from('4d544350010040000000004000000027100008000' + '0', 'hex'))
    await peer.frame(type.request)
    peers.resolve(bytes)
    peer.send(
      type.reply,
      1,
      Buffer.from(`0000000000000000${Buffer.from('[1]').toString('hex')}`, 'hex'),
    )
  })
  const reply = await say(dial(url), '{}')
  expect(Buffer.from(reply.body).toString()).toBe('[1]')
  const name = Buffer.from('conformance\0say\0application/json').toString('hex')
  expect(await peers.promise).toBe(
    [
      // Hello: 21 bytes, type 1, id 0; MTCP, version 1, 4 MiB, 16 KiB, 10,000 calls, 512 KiB.
      '00000015' + '01' + '00' + '00000000',
      '4d544350' + '01' + '00400000' + '00004000' + '00002710' + '00080000',
      // Method 0.
      `00000020020000000000${name}`,
      // Request 1: method 0, no deadline, no metadata, a body of two bytes.
      '0000000e' + '03' + '00' + '00000001' + '00000000' + 'ffffffff' + '00000000' + '7b7d',
    ].join(''),
  )
})

test('a server answers in the bytes of the specification', async () => {
  const { url } = await serve(
    {},
    {
      unary: (head, body) => ({ body, headers: head.metadata }),
    },
  )
  const peer = await greetedClient(url)
  const metadata = Buffer.from('x-a\0one\0')
  const head = Buffer.from('00000000000003e800000008', 'hex')
  peer.send(type.request, 7, Buffer.concat([head, metadata, Buffer.from('hi')]))
  const { payload, ...frame } = await peer.frame(type.reply)
  expect(frame).toEqual({ type: type.reply, flags: 0, id: 7 })
  expect(payload.toString('hex')).toBe(
    `0000000800000000${metadata.toString('hex')}${Buffer.from('hi').toString('hex')}`,
  )
})

test('frames may come byte by byte, or all at once', async () => {
  const { url } = await serve()
  const whole = await greetedClient(url)
  whole.write(Buffer.concat([1, 2, 3].map((id) => encode(type.request, id, request(`${id}`)))))
  for (const id of [1, 2, 3]) {
    const { payload } = await whole.frame(type.reply)
    expect(payload.toString('utf8', 8)).toBe(String(id))
  }
  const slow = await rawClient(url)
  const bytes = Buffer.concat([
    encode(type.hello, 0, Buffer.from('4d5443500100400000000040000000271000080000', 'hex')),
    encode(type.method, 0, methodOf('say')),
    encode(type.request, 1, request('slowly')),
  ])
  for (const byte of bytes) {
    slow.write(Uint8Array.of(byte))
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect((await slow.frame(type.reply)).payload.toString('utf8', 8)).toBe('slowly')
})

test('a later version says hello in more bytes', async () => {
  const { url } = await serve()
  const peer = await rawClient(url)
  peer.send(
    type.hello,
    0,
    Buffer.from('4d5443500200400000000040000000271000080000' + 'aabb', 'hex'),
  )
  peer.send(type.method, 0, methodOf('say'))
  peer.send(type.request, 1, request('hello'))
  expect((await peer.frame(type.reply)).payload.toString('utf8', 8)).toBe('hello')
})

test('a ping is answered with its id', async () => {
  const { url } = await serve()
  const peer = await greetedClient(url)
  peer.send(type.ping, 42)
  expect(await peer.frame(type.pong)).toMatchObject({ id: 42 })
})

test('a server that stops says the last id it took, and refuses those above', async () => {
  const release = Promise.withResolvers<void>()
  const server = await serve(
    {},
    {
      async unary(_head, body) {
        await release.promise
        return { body }
      },
    },
  )
  const peer = await greetedClient(server.url)
  peer.send(type.request, 5, request('mine'))
  peer.send(type.ping, 1)
  await peer.frame(type.pong)
  const draining = server.drain()
  expect((await peer.frame(type.goAway)).payload.readUInt32BE(0)).toBe(5)
  peer.send(type.request, 6, request('late'))
  const refusal = await peer.frame(type.error)
  expect(refusal.id).toBe(6)
  expect(JSON.parse(refusal.payload.toString())).toMatchObject({
    code: 'unavailable',
    processed: 'no',
  })
  release.resolve()
  expect(await peer.frame(type.reply)).toMatchObject({ id: 5 })
  await draining
})

test('a cancelled call is not answered', async () => {
  const release = Promise.withResolvers<void>()
  const { url } = await serve(
    {},
    {
      async unary(_head, body) {
        await release.promise
        return { body }
      },
    },
  )
  const peer = await greetedClient(url)
  peer.send(type.request, 1, request('mine'))
  peer.send(type.cancel, 1)
  peer.send(type.ping, 1)
  await peer.frame(type.pong)
  release.resolve()
  await release.promise
  peer.send(type.request, 2, request('other'))
  expect(await peer.frame()).toMatchObject({ type: type.reply, id: 2 })
})
