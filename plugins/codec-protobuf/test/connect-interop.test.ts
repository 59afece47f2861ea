import { execFile } from 'node:child_process'
import { createServer as createHttp1 } from 'node:http'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { create } from '@bufbuild/protobuf'
import { Code, ConnectError, type ConnectRouter, createClient } from '@connectrpc/connect'
import { connectNodeAdapter, createConnectTransport } from '@connectrpc/connect-node'
import { createService, MicroError, type Service, type ServiceClient } from '@micro/core'
import type { Code as MicroCode } from '@micro/core/errors'
import { memoryLogger } from '@micro/core/logger'
import { memoryRegistry } from '@micro/core/registry'
import { fromProto, protobufCodec } from '@micro/plugin-codec-protobuf'
import { httpTransport } from '@micro/plugin-transport-http'
import { afterEach, describe, expect, test } from 'vitest'
import { GreeterService, SayHelloRequestSchema } from './gen/micro/test/v1/greeter_pb.ts'

const Greeter = fromProto(GreeterService)
const opened: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]()
})

const base = {
  logger: memoryLogger(),
  codecs: [protobufCodec()],
  shutdown: { signals: false, spread: 0, drain: 200 },
}

/** Our server. */
async function startMicro(): Promise<{
  url: string
  cancelled: Promise<unknown>
  started: Promise<void>
  service: Service
}> {
  const cancelled = Promise.withResolvers<unknown>()
  const started = Promise.withResolvers<void>()
  const service = createService({
    ...base,
    name: 'greeter',
    transports: [httpTransport({ compressFrom: 0 })],
  })
  opened.push(service)
  service.handle(Greeter, {
    sayHello: ({ name, big, data }, context) => {
      context.headers.set('x-header', context.metadata.get('x-request') ?? '')
      context.trailers.set('x-trailer', 'end')
      return { text: `Hello ${name}`, big, data }
    },
    rename: ({ name }) => ({ text: name }),
    fail: ({ code }) => {
      throw new MicroError(code as MicroCode, 'as asked', {
        details: [
          { type: 'micro.test.v1.SayHelloRequest', value: Uint8Array.of(0x0a, 0x01, 0x41) },
        ],
        metadata: { 'x-error': 'yes' },
      })
    },
    hang: (_input, context) =>
      new Promise((_resolve, reject) => {
        started.resolve()
        context.onCancel((reason) => {
          cancelled.resolve(reason)
          reject(reason)
        })
      }),
    async *countdown({ from }) {
      for (let n = from; n > 0; n--) yield { n }
      if (from === 13) throw new MicroError('out_of_range', 'thirteen')
    },
    async sum(values) {
      let sum = 0n
      for await (const { value } of values) sum += value
      return { sum }
    },
    async *chat(words) {
      for await (const { text } of words) yield { text: `${text}!` }
    },
  })
  await service.start()
  return {
    url: service.nodes[0]?.endpoints[0]?.url as string,
    cancelled: cancelled.promise,
    started: started.promise,
    service,
  }
}

/** Connect's server, over HTTP/1.1 or HTTP/2. */
async function startConnect(
  version: '1.1' | '2',
): Promise<{ url: string; cancelled: Promise<unknown>; started: Promise<void> }> {
  const cancelled = Promise.withResolvers<unknown>()
  const started = Promise.withResolvers<void>()
  const routes = (router: ConnectRouter) =>
    router.service(GreeterService, {
      sayHello: ({ name, big, data }, context) => {
        context.responseHeader.set('x-header', context.requestHeader.get('x-request') ?? '')
        context.responseTrailer.set('x-trailer', 'end')
        return { text: `Hello ${name}`, big, data }
      },
      fail: ({ code }) => {
        const number = Code[code as keyof typeof Code]
        throw new ConnectError('as asked', number, { 'x-error': 'yes' }, [
          { desc: SayHelloRequestSchema, value: { name: 'A' } },
        ])
      },
      hang: (_input, context) =>
        new Promise((_resolve, reject) => {
          started.resolve()
          context.signal.addEventListener('abort', () => {
            cancelled.resolve(context.signal.reason)
            reject(context.signal.reason)
          })
        }),
      async *countdown({ from }) {
        for (let n = from; n > 0; n--) yield { n }
        if (from === 13) throw new ConnectError('thirteen', Code.OutOfRange)
      },
      async sum(values) {
        let sum = 0n
        for await (const { value } of values) sum += value
        return { sum }
      },
      async *chat(words) {
        for await (const { text } of words) yield { text: `${text}!` }
      },
    })
  const adapter = connectNodeAdapter({ routes })
  const server = version === '2' ? createServer(adapter) : createHttp1(adapter)
  const sessions = new Set<{ destroy(): void }>()
  server.on(version === '2' ? 'session' : 'connection', (one: { destroy(): void }) =>
    sessions.add(one),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  opened.push({
    async [Symbol.asyncDispose]() {
      for (const one of sessions) one.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cancelled: cancelled.promise,
    started: started.promise,
  }
}

async function microClient(
  url: string,
  protocol: 'auto' | 'http1' | 'http2',
  contentType: string,
): Promise<ServiceClient<typeof Greeter.methods>> {
  const registry = memoryRegistry()
  await registry.register({
    schema: 1,
    id: 'connect-1',
    service: Greeter.name,
    version: '1',
    weight: 1,
    labels: {},
    endpoints: [
      { transport: 'http', url, contentTypes: ['application/proto', 'application/json'] },
    ],
  })
  const client = createService({
    ...base,
    name: 'client',
    registry,
    transports: [httpTransport({ protocol })],
  })
  opened.push(client)
  await client.start()
  return client.client(Greeter, { defaults: { contentType } })
}

const collect = async <T>(source: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of source) all.push(item)
  return all
}
const numbers = async function* (...values: bigint[]) {
  for (const value of values) yield { value }
}
const words = async function* (...texts: string[]) {
  for (const text of texts) yield { text }
}

describe.each([
  { httpVersion: '1.1', useBinaryFormat: false },
  { httpVersion: '1.1', useBinaryFormat: true },
  { httpVersion: '2', useBinaryFormat: false },
  { httpVersion: '2', useBinaryFormat: true },
] as const)('a Connect client calls us: HTTP/$httpVersion, binary $useBinaryFormat', (options) => {
  const connect = async () => {
    const { url, cancelled, started } = await startMicro()
    const transport = createConnectTransport({ ...options, baseUrl: url, useHttpGet: true })
    return { client: createClient(GreeterService, transport), cancelled, started }
  }

  test('unary, by GET, with headers and trailers', async () => {
    const { client } = await connect()
    const seen: (string | null)[] = []
    const answer = await client.sayHello(
      { name: 'Ada', big: 2n ** 60n, data: Uint8Array.of(7) },
      {
        headers: { 'x-request': 'asked' },
        onHeader: (headers) => seen.push(headers.get('x-header')),
        onTrailer: (trailers) => seen.push(trailers.get('x-trailer')),
      },
    )
    expect(answer).toMatchObject({ text: 'Hello Ada', big: 2n ** 60n, data: Uint8Array.of(7) })
    expect(seen).toEqual(['asked', 'end'])
    expect((await client.rename({ name: 'by POST' })).text).toBe('by POST')
  })

  test('streams, and an error at the end of one', async () => {
    const { client } = await connect()
    expect((await collect(client.countdown({ from: 3 }))).map(({ n }) => n)).toEqual([3, 2, 1])
    expect((await client.sum(numbers(1n, 2n))).sum).toBe(3n)
    if (options.httpVersion === '2') {
      expect((await collect(client.chat(words('a', 'b')))).map(({ text }) => text)).toEqual([
        'a!',
        'b!',
      ])
    }
    await expect(collect(client.countdown({ from: 13 }))).rejects.toMatchObject({
      code: Code.OutOfRange,
      rawMessage: 'thirteen',
    })
  })

  test('errors keep code, message, metadata and details', async () => {
    const { client } = await connect()
    const error = ConnectError.from(
      await client.fail({ code: 'cancelled' }).catch((failure: unknown) => failure),
    )
    expect(error).toMatchObject({ code: Code.Canceled, rawMessage: 'as asked' })
    expect(error.metadata.get('x-error')).toBe('yes')
    expect(error.findDetails(SayHelloRequestSchema)).toEqual([
      create(SayHelloRequestSchema, { name: 'A' }),
    ])
    await expect(client.fail({ code: 'data_loss' })).rejects.toMatchObject({ code: Code.DataLoss })
  })

  test('its deadline and its cancellation reach our handler', async () => {
    const one = await connect()
    await expect(one.client.hang({}, { timeoutMs: 60 })).rejects.toMatchObject({
      code: Code.DeadlineExceeded,
    })
    expect(await one.cancelled).toBeInstanceOf(MicroError)
    const two = await connect()
    const controller = new AbortController()
    const call = two.client.hang({}, { signal: controller.signal })
    await two.started
    controller.abort()
    await expect(call).rejects.toMatchObject({ code: Code.Canceled })
    expect(await two.cancelled).toMatchObject({ code: 'cancelled' })
  })
})

describe.each([
  { version: '1.1', protocol: 'http1', contentType: 'application/json' },
  { version: '1.1', protocol: 'http1', contentType: 'application/proto' },
  { version: '2', protocol: 'http2', contentType: 'application/json' },
  { version: '2', protocol: 'http2', contentType: 'application/proto' },
] as const)(
  'we call a Connect server: HTTP/$version, $contentType',
  ({ version, protocol, contentType }) => {
    const connect = async () => {
      const { url, cancelled, started } = await startConnect(version)
      return { client: await microClient(url, protocol, contentType), cancelled, started }
    }

    test('unary, with headers and trailers', async () => {
      const { client } = await connect()
      const seen: (string | undefined)[] = []
      const answer = await client.sayHello(
        { name: 'Ada', big: 5n, data: Uint8Array.of(7) },
        {
          metadata: { 'x-request': 'asked' },
          onHeaders: (headers) => seen.push(headers.get('x-header')),
          onTrailers: (trailers) => seen.push(trailers.get('x-trailer')),
        },
      )
      expect(answer).toMatchObject({ text: 'Hello Ada', big: 5n })
      expect([...answer.data]).toEqual([7])
      expect(seen).toEqual(['asked', 'end'])
    })

    test('streams, and an error at the end of one', async () => {
      const { client } = await connect()
      expect((await collect(client.countdown({ from: 3 }))).map(({ n }) => n)).toEqual([3, 2, 1])
      expect((await client.sum([{ value: 1n }, { value: 2n }])).sum).toBe(3n)
      if (version === '2') {
        expect(
          (await collect(client.chat([{ text: 'a' }, { text: 'b' }]))).map(({ text }) => text),
        ).toEqual(['a!', 'b!'])
      }
      await expect(collect(client.countdown({ from: 13 }))).rejects.toMatchObject({
        code: 'out_of_range',
        detail: 'thirteen',
      })
    })

    test('errors keep code, message, metadata and details', async () => {
      const { client } = await connect()
      const error: unknown = await client
        .fail({ code: 'Canceled' })
        .catch((failure: unknown) => failure)
      expect(error).toMatchObject({ code: 'cancelled', detail: 'as asked', processed: 'yes' })
      expect((error as MicroError).metadata.get('x-error')).toBe('yes')
      expect((error as MicroError).details).toMatchObject([
        { type: 'micro.test.v1.SayHelloRequest', value: Uint8Array.of(0x0a, 0x01, 0x41) },
      ])
      await expect(client.fail({ code: 'DataLoss' })).rejects.toMatchObject({ code: 'data_loss' })
    })

    test('our deadline and our cancellation reach its handler', async () => {
      const one = await connect()
      await expect(one.client.hang({}, { timeout: 60 })).rejects.toMatchObject({
        code: 'deadline_exceeded',
      })
      await one.cancelled
      const two = await connect()
      const controller = new AbortController()
      const call = two.client.hang({}, { signal: controller.signal })
      await two.started
      controller.abort('mine')
      expect(await call.catch((failure: unknown) => failure)).toBe('mine')
      await two.cancelled
    })
  },
)

test('curl: JSON by POST, and by GET where nothing changes', async () => {
  const { url } = await startMicro()
  const curl = async (...parameters: string[]): Promise<string> =>
    (await promisify(execFile)('curl', ['-sS', ...parameters])).stdout
  const path = `${url}/micro.test.v1.GreeterService`
  expect(
    JSON.parse(
      await curl(
        '-H',
        'content-type: application/json',
        '-d',
        '{"name":"Ada"}',
        `${path}/SayHello`,
      ),
    ),
  ).toEqual({
    text: 'Hello Ada',
  })
  const query = `encoding=json&message=${encodeURIComponent('{"name":"Ada"}')}`
  expect(JSON.parse(await curl('--compressed', `${path}/SayHello?${query}`))).toEqual({
    text: 'Hello Ada',
  })
  expect(await curl('-o', '/dev/null', '-w', '%{http_code}', `${path}/Rename?${query}`)).toBe('405')
  expect(
    JSON.parse(
      await curl(
        '-H',
        'content-type: application/json',
        '-d',
        '{"code":"not_found"}',
        `${path}/Fail`,
      ),
    ),
  ).toMatchObject({
    code: 'not_found',
    message: 'as asked',
  })
})
