import { codes } from '@micro/core/errors'
import { describe, expect, test } from 'vitest'
import { collect, microClient, startMicro } from './support/micro.ts'
import {
  codeCancelled,
  codeDeadline,
  connectClient,
  failureOf,
  grpcJsClient,
  niceClient,
} from './support/peer-clients.ts'
import { connectServer, grpcJsServer, niceServer } from './support/peer-servers.ts'

const detail = 'as asked, 100 % ünïcödé'

describe.each([
  ['grpc-js', grpcJsClient],
  ['nice-grpc', niceClient],
  ['connect-node', connectClient],
] as const)('a client of %s calls us', (name, connect) => {
  test('unary, with metadata, headers and trailers', async () => {
    const client = connect((await startMicro()).url)
    expect(await client.say('Ada')).toEqual(['Hello Ada', 'r', 'end'])
  })

  test('streams of every kind', async () => {
    const client = connect((await startMicro()).url)
    expect(await collect(client.countdown(100))).toHaveLength(100)
    expect(await client.sum(Array.from({ length: 100 }, () => 2))).toBe(200)
    expect(await collect(client.chat(['a', 'b', 'c']))).toEqual(['a!', 'b!', 'c!'])
    expect(await collect(client.chat([]))).toEqual([])
    expect(await client.sum([])).toBe(0)
  })

  test('every failure, with its text and details', async () => {
    const client = connect((await startMicro()).url)
    for (const [at] of codes.entries()) {
      const failure = await failureOf(client.fail(at + 1))
      expect(failure).toMatchObject({ code: at + 1, message: detail })
      if (name !== 'nice-grpc') expect(failure.detail).toBe('A')
    }
  })

  test('a stream that fails', async () => {
    const client = connect((await startMicro()).url)
    expect(await failureOf(collect(client.countdown(13)))).toEqual({
      code: 11,
      message: 'thirteen',
    })
  })

  test('a deadline ends the call, here and there', async () => {
    const { url, cancelled } = await startMicro()
    const failure = await failureOf(connect(url).hang({ timeout: 300 }))
    expect(failure.code).toBe(codeDeadline)
    expect(await cancelled).toMatchObject({ code: expect.stringMatching(/deadline|cancelled/) })
  })

  test('a cancellation reaches the handler', async () => {
    const { url, started, cancelled } = await startMicro()
    const aborter = new AbortController()
    const hanging = connect(url).hang({ signal: aborter.signal })
    const outcome = hanging.then(
      () => 'answered',
      () => 'cancelled',
    )
    await started
    aborter.abort()
    expect(await outcome).toBe('cancelled')
    expect(await cancelled).toMatchObject({ code: 'cancelled' })
  })
})

test('a grpc-js client that compresses is understood, and answered so', async () => {
  const { url } = await startMicro({ compressFrom: 0 })
  const client = grpcJsClient(url, { 'grpc.default_compression_algorithm': 2 })
  expect(await client.say('x'.repeat(100_000))).toEqual([
    `Hello ${'x'.repeat(100_000)}`,
    'r',
    'end',
  ])
  expect(await collect(client.chat(['a', 'b']))).toEqual(['a!', 'b!'])
})

describe.each([
  ['grpc-js', grpcJsServer],
  ['nice-grpc', niceServer],
  ['connect-node', connectServer],
] as const)('we call a server of %s', (name, start) => {
  test('unary, with metadata, headers and trailers', async () => {
    const client = await microClient((await start()).url)
    const seen: (string | undefined)[] = []
    const answer = await client.sayHello(
      { name: 'Ada' },
      {
        metadata: { 'x-request': 'r' },
        onHeaders: (headers) => seen.push(headers.get('x-header')),
        onTrailers: (trailers) => seen.push(trailers.get('x-trailer')),
      },
    )
    expect(answer.text).toBe('Hello Ada')
    expect(seen).toEqual(['r', 'end'])
  })

  test('streams of every kind', async () => {
    const client = await microClient((await start()).url)
    expect((await collect(client.countdown({ from: 100 }))).map(({ n }) => n)).toHaveLength(100)
    const numbers = async function* () {
      for (let n = 0; n < 100; n++) yield { value: 2 }
    }
    expect((await client.sum(numbers())).sum).toBe(200)
    const words = async function* () {
      for (const text of ['a', 'b']) yield { text }
    }
    expect((await collect(client.chat(words()))).map(({ text }) => text)).toEqual(['a!', 'b!'])
  })

  test('every failure, with its text and details, of which nobody says how far it came', async () => {
    const client = await microClient((await start()).url)
    for (const [at, code] of codes.entries()) {
      const call = client.fail({ code: at + 1 }, { retries: 0 })
      const error = await call.catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code, detail, processed: 'unknown' })
      const { details, metadata } = error as {
        details: { type: string; value: Uint8Array }[]
        metadata: { get(key: string): string | undefined }
      }
      expect(details.map(({ type, value }) => [type, [...value]])).toEqual([
        ['micro.grpc.v1.SayHelloRequest', [0x0a, 1, 0x41]],
      ])
      expect(metadata.get('x-error')).toBe('yes')
    }
  })

  test('a stream that fails after its messages', async () => {
    const client = await microClient((await start()).url)
    const read: number[] = []
    const reading = (async () => {
      for await (const { n } of client.countdown({ from: 13 })) {
        read.push(n)
        // grpc-js's own client would drop what it has not read by now.
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
    })()
    await expect(reading).rejects.toMatchObject({ code: 'out_of_range', detail: 'thirteen' })
    expect(read).toHaveLength(13)
  })

  test('a deadline ends the call, here and there', async () => {
    const server = await start()
    const client = await microClient(server.url)
    const call = client.hang({}, { timeout: 300 })
    await expect(call).rejects.toMatchObject({ code: 'deadline_exceeded' })
    await server.cancelled
  })

  test('a cancellation reaches the handler, and its reason comes back untouched', async () => {
    const server = await start()
    const client = await microClient(server.url)
    const aborter = new AbortController()
    const call = client.hang({}, { signal: aborter.signal })
    const outcome = call.catch((reason: unknown) => reason)
    await server.started
    aborter.abort('enough')
    expect(await outcome).toBe('enough')
    await server.cancelled
  })

  // connect-node keeps to messages that the client compressed; the others answer in plain.
  test('messages that we compress are understood', async () => {
    const client = await microClient((await start()).url, { compressFrom: 0 })
    const text = 'x'.repeat(50_000)
    expect((await client.sayHello({ name: text })).text).toBe(`Hello ${text}`)
    expect(name).not.toBe('')
  })
})

test('codes are those of the peers', () => {
  expect([codeCancelled, codeDeadline]).toEqual([1, 4])
})
