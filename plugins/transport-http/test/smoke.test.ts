import {
  bidiStream,
  clientStream,
  createService,
  defineService,
  MicroError,
  serverStream,
  unary,
} from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { memoryRegistry } from '@micro/core/registry'
import { type HttpTransportOptions, httpTransport } from '@micro/plugin-transport-http'
import { afterEach, describe, expect, test } from 'vitest'

const Echo = defineService('echo', {
  say: unary<{ text: string }, { text: string }>({ idempotency: 'no_side_effects' }),
  fail: unary<string, void>(),
  hang: unary<void, void>(),
  count: serverStream<{ to: number }, number>(),
  sum: clientStream<number, number>(),
  chat: bidiStream<string, string>(),
})
const opened: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]()
})

async function pair(options: HttpTransportOptions = {}) {
  const registry = memoryRegistry()
  const base = {
    logger: memoryLogger(),
    registry,
    shutdown: { signals: false, spread: 0, drain: 100 },
  }
  const aborted = Promise.withResolvers<unknown>()
  const server = createService({
    ...base,
    name: 'server',
    transports: [httpTransport(options)],
  }).handle(Echo, {
    say: ({ text }, context) => {
      context.headers.set('x-answer', 'h')
      context.trailers.set('x-end', 't')
      return { text: text + (context.metadata.get('x-tenant') ?? '') }
    },
    fail: (code) => {
      throw new MicroError(code as 'not_found', 'why', {
        details: [{ type: 'a.B', value: Uint8Array.of(1, 2) }],
      })
    },
    hang: (_input, context) =>
      new Promise((_resolve, reject) =>
        context.onCancel((reason) => {
          aborted.resolve(reason)
          reject(reason)
        }),
      ),
    async *count({ to }) {
      for (let n = 1; n <= to; n++) yield n
    },
    async sum(values) {
      let sum = 0
      for await (const value of values) sum += value
      return sum
    },
    async *chat(words) {
      for await (const word of words) yield `${word}!`
    },
  })
  const client = createService({ ...base, name: 'client', transports: [httpTransport(options)] })
  opened.push(server, client)
  await server.start()
  await client.start()
  return { echo: client.client(Echo), server, aborted: aborted.promise }
}
const collect = async <T>(source: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of source) all.push(item)
  return all
}

describe.each([
  {},
  { protocol: 'http2' },
  { compressFrom: 0 },
  { useGet: true },
  { compressFrom: 0, protocol: 'http2' },
] as HttpTransportOptions[])('with options %o', (options) => {
  test('unary, both ways of metadata', async () => {
    const { echo } = await pair(options)
    const seen: (string | undefined)[] = []
    const answer = await echo.say(
      { text: 'hi ' },
      {
        metadata: { 'x-tenant': 'acme' },
        onHeaders: (h) => seen.push(h.get('x-answer')),
        onTrailers: (t) => seen.push(t.get('x-end')),
      },
    )
    expect(answer).toEqual({ text: 'hi acme' })
    expect(seen).toEqual(['h', 't'])
  })
  test('streams', async () => {
    const { echo } = await pair(options)
    expect(await collect(echo.count({ to: 100 }))).toHaveLength(100)
    expect(await echo.sum([1, 2, 3])).toBe(6)
    expect(await collect(echo.chat(['a', 'b']))).toEqual(['a!', 'b!'])
  })
  test('errors with details', async () => {
    const { echo } = await pair(options)
    await expect(echo.fail('cancelled')).rejects.toMatchObject({
      code: 'cancelled',
      detail: 'why',
      processed: 'yes',
      details: [{ type: 'a.B', value: Uint8Array.of(1, 2) }],
    })
    await expect(echo.fail('data_loss')).rejects.toMatchObject({ code: 'data_loss' })
  })
  test('deadline and cancellation reach the handler', async () => {
    const one = await pair(options)
    await expect(one.echo.hang(undefined, { timeout: 50 })).rejects.toMatchObject({
      code: 'deadline_exceeded',
    })
    expect(await one.aborted).toBeInstanceOf(MicroError)
    const two = await pair(options)
    const controller = new AbortController()
    const call = two.echo.hang(undefined, { signal: controller.signal, timeout: 10_000 })
    setImmediate(() => setImmediate(() => controller.abort('mine')))
    expect(await call.catch((error: unknown) => error)).toBe('mine')
  })
})
