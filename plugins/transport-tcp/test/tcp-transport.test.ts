import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '@micro/conformance/kit'
import { bidiStream, createService, defineService, unary } from '@micro/core'
import { Context, rootContext } from '@micro/core/context'
import { memoryLogger } from '@micro/core/logger'
import { memoryRegistry } from '@micro/core/registry'
import { tcpTransport } from '@micro/plugin-transport-tcp'
import { afterAll, expect, test } from 'vitest'
import { hello, type RawPeer, rawServer, type } from './support/raw-peer.ts'
import { dial, headOf, say, serve } from './support/serve.ts'

const directory = mkdtempSync(join(tmpdir(), 'micro-tcp-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

test('services call each other by it', async () => {
  const Echo = defineService('echo', {
    say: unary<string, string>(),
    chat: bidiStream<string, string>(),
  })
  const base = {
    registry: memoryRegistry(),
    logger: memoryLogger(),
    shutdown: { signals: false, spread: 0 },
  }
  await using server = createService({ ...base, name: 'server', transports: [tcpTransport()] })
  server.handle(Echo, {
    say: (text) => `${text}!`,
    async *chat(words) {
      for await (const word of words) yield `${word}?`
    },
  })
  await server.start()
  expect(server.nodes[0]?.endpoints[0]).toMatchObject({
    transport: 'tcp',
    url: expect.stringMatching(/^tcp:\/\/127\.0\.0\.1:\d+$/),
  })
  await using client = createService({ ...base, name: 'client', transports: [tcpTransport()] })
  await client.start()
  const echo = client.client(Echo)
  expect(await echo.say('hello')).toBe('hello!')
  const words = (async function* () {
    yield 'one'
    yield 'two'
  })()
  const answers: string[] = []
  for await (const answer of echo.chat(words)) answers.push(answer)
  expect(answers).toEqual(['one?', 'two?'])
})

test('a long message does not hold up a short one behind it', async () => {
  const order: number[] = []
  const { url } = await serve(
    {},
    {
      unary(_head, body) {
        order.push(body.length)
        return { body }
      },
    },
  )
  const connection = dial(url)
  await say(connection)
  const long = 4 << 20
  const first = say(connection, 'x'.repeat(long))
  // It is on its way, and more than sockets hold.
  await new Promise((resolve) => setImmediate(resolve))
  const second = say(connection, 'short')
  const replies = await Promise.all([first, second])
  expect(order).toEqual([0, 5, long])
  expect(replies.map(({ body }) => body.length)).toEqual([long, 5])
})

test('long messages share the connection in turn', async () => {
  const ids: number[] = []
  const { url } = await rawServer(async (peer) => {
    peer.send(type.hello, 0, hello)
    while (ids.length < 20) ids.push((await peer.frame(type.data)).id)
    peer.socket.destroy()
  })
  const connection = dial(url)
  const body = Buffer.alloc(2 << 20)
  const ended = await Promise.allSettled([1, 2].map(() => say(connection, body)))
  expect(ended.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  const shares = [1, 2].map((id) => ids.filter((one) => one === id).length)
  expect(Math.min(...shares)).toBeGreaterThanOrEqual(8)
})

test('what is cancelled is not sent to its end', async () => {
  const peers = Promise.withResolvers<RawPeer>()
  const { url } = await rawServer((peer) => {
    peer.send(type.hello, 0, hello)
    peer.socket.pause()
    peers.resolve(peer)
  })
  const connection = dial(url, { maxBufferedBytes: 1 << 30 })
  const context = new Context(rootContext)
  const body = Buffer.alloc(4 << 20)
  const calls = Array.from({ length: 20 }, () =>
    Promise.resolve(connection.unary(headOf('say'), body, context)),
  )
  const { socket } = await peers.promise
  context.cancel('enough')
  for (const { status } of await Promise.allSettled(calls)) expect(status).toBe('rejected')
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.resume()
  await connection.drain()
  await closed
  expect(socket.bytesRead).toBeLessThan(20 << 20)
})

test('messages that were not waited for arrive before the end', async () => {
  const { url } = await serve()
  const stream = dial(url).stream(headOf('both'), new Context(rootContext))
  const written = [1, 2, 3].map((size) => stream.write(Buffer.alloc(size << 20)))
  void stream.end()
  const sizes: number[] = []
  for await (const message of stream) sizes.push(message.length >> 20)
  await Promise.all(written)
  expect(sizes).toEqual([1, 2, 3])
})

test('empty messages are held back, too, and all arrive', async () => {
  const release = Promise.withResolvers<void>()
  const { url } = await serve(
    { streamCredit: 65_536 },
    {
      async stream(_head, stream) {
        await release.promise
        let count = 0
        for await (const _ of stream) count += 1
        await stream.write(Buffer.from(String(count)))
        return undefined
      },
    },
  )
  const stream = dial(url).stream(headOf('both'), new Context(rootContext))
  const nothing = Buffer.alloc(0)
  let accepted = 0
  const writing = (async () => {
    for (; accepted < 5_000; accepted++) await stream.write(nothing)
    await stream.end()
  })()
  await eventually(() => expect(accepted).toBeGreaterThan(900))
  for (let round = 0; round < 20; round++) await new Promise((resolve) => setImmediate(resolve))
  // 65,536 bytes of credit at 64 each.
  expect(accepted).toBeLessThan(1_100)
  release.resolve()
  await writing
  expect(Buffer.from((await stream.next()).value ?? '').toString()).toBe('5000')
})

test('messages of a stream keep their order, long and short', async () => {
  const { url } = await serve()
  const stream = dial(url).stream(headOf('both'), new Context(rootContext))
  const sizes = [1, 300_000, 2, 0, 70_000, 3, 4 << 20, 4]
  const sending = (async () => {
    for (const size of sizes) await stream.write(Buffer.alloc(size, size % 251))
    await stream.end()
  })()
  const received: number[] = []
  for await (const message of stream) {
    expect(message.every((byte) => byte === message.length % 251)).toBe(true)
    received.push(message.length)
  }
  await sending
  expect(received).toEqual(sizes)
})

test.each([
  [{ port: 70_000 }, 'port'],
  [{ maxMessageSize: 0 }, 'maxMessageSize'],
  [{ maxHeaderSize: 40_000 }, 'maxHeaderSize'],
  [{ streamCredit: 1 }, 'streamCredit'],
  [{ path: '/tmp/x', port: 1 }, 'path'],
  [{ advertise: 'http://x' }, 'advertise'],
  [{ pingInterval: 0.5 }, 'pingInterval'],
  [{ compress: true } as object, 'compress'],
])('options %o are refused, by name', (options, name) => {
  expect(() => tcpTransport(options)).toThrow(
    new RegExp(`invalid_argument: tcpTransport option ${name}`),
  )
})

test.each(['http://127.0.0.1:80', 'tcp://127.0.0.1', 'unix:', 'nonsense'])(
  'an endpoint at %s is refused',
  (url) => {
    expect(() => dial(url)).toThrow(/invalid_argument.*URL of node/)
  },
)

test('an address in use is told', async () => {
  const holder = createServer().listen(0, '127.0.0.1')
  await once(holder, 'listening')
  const { port } = holder.address() as { port: number }
  await expect(serve({ port })).rejects.toThrow(new RegExp(`already_exists: 127.0.0.1:${port}`))
  holder.close()
})

test('a Unix socket that is served is left alone; one left by a killed process is replaced', async () => {
  const path = join(directory, 'socket')
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  await expect(serve({ path })).rejects.toThrow('already_exists')
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(existsSync(path)).toBe(true)
  const { url } = await serve({ path })
  expect(Buffer.from((await say(dial(url), 'hello')).body).toString()).toBe('hello')
})

test('an idle connection does not keep the process', async () => {
  const { url } = await serve()
  const script = `
    import { Context, rootContext } from '@micro/core/context'
    import { Metadata } from '@micro/core/metadata'
    import { tcpTransport } from '@micro/plugin-transport-tcp'
    const connection = tcpTransport().dial({ transport: 'tcp', url: '${url}' }, { node: 'n' })
    const head = { service: 'conformance', method: 'say', kind: 'unary', idempotency: 'unknown',
      contentType: 'application/json', metadata: new Metadata() }
    const { body } = await connection.unary(head, Buffer.from('done'), new Context(rootContext))
    console.log(body.toString())`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: join(import.meta.dirname, '..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const [code] = (await once(child, 'close')) as [number]
  expect({ code, output }).toEqual({ code: 0, output: 'done\n' })
})
