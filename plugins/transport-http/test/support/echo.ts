import {
  bidiStream,
  clientStream,
  createService,
  defineService,
  type Handlers,
  MicroError,
  type Service,
  type ServiceClient,
  type ServiceOptions,
  serverStream,
  unary,
} from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { memoryRegistry } from '@micro/core/registry'
import { type HttpTransportOptions, httpTransport } from '@micro/plugin-transport-http'
import { afterEach } from 'vitest'

const Echo = defineService('echo', {
  say: unary<{ text: string }, { text: string }>({ idempotency: 'no_side_effects' }),
  fail: unary<string, void>(),
  hang: unary<void, void>(),
  count: serverStream<{ to: number; size?: number }, number | string>(),
  sum: clientStream<number, number>(),
  chat: bidiStream<string, string>(),
})

const opened: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]()
})

/** Stopped after the test, whatever becomes of it. */
export function closing<T extends AsyncDisposable>(resource: T): T {
  opened.push(resource)
  return resource
}

export interface Pair {
  readonly echo: ServiceClient<typeof Echo.methods>
  readonly server: Service
  readonly url: string
  /** Why the last hanging handler was cancelled. */
  readonly cancelled: Promise<unknown>
}

/** An echo server and a client of it, joined by real sockets. */
export async function startPair(
  options: HttpTransportOptions = {},
  over: Partial<Handlers<typeof Echo.methods>> = {},
  service: Partial<ServiceOptions> = {},
): Promise<Pair> {
  const cancelled = Promise.withResolvers<unknown>()
  const base: Partial<ServiceOptions> = {
    logger: memoryLogger(),
    registry: memoryRegistry(),
    shutdown: { signals: false, spread: 0, drain: 300 },
  }
  const server = closing(
    createService({ ...base, name: 'server', transports: [httpTransport(options)], ...service }),
  )
  server.handle(Echo, {
    say: ({ text }, context) => {
      context.headers.set('x-answer', 'h')
      context.trailers.set('x-end', 't')
      return { text: text + (context.metadata.get('x-tenant') ?? '') }
    },
    fail: (code) => {
      const details = [{ type: 'a.B', value: Uint8Array.of(1, 2) }]
      throw new MicroError(code as 'not_found', 'why', { details })
    },
    hang: (_input, context) =>
      new Promise((_resolve, reject) => {
        context.onCancel((reason) => {
          cancelled.resolve(reason)
          reject(reason)
        })
      }),
    async *count({ to, size }) {
      for (let n = 1; n <= to; n++) yield size === undefined ? n : 'x'.repeat(size)
    },
    async sum(values) {
      let sum = 0
      for await (const value of values) sum += value
      return sum
    },
    async *chat(words) {
      for await (const word of words) yield `${word}!`
    },
    ...over,
  })
  await server.start()
  const client = closing(
    createService({ ...base, name: 'client', transports: [httpTransport(options)] }),
  )
  await client.start()
  const url = server.nodes[0]?.endpoints[0]?.url as string
  return { echo: client.client(Echo), server, url, cancelled: cancelled.promise }
}

export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of source) all.push(item)
  return all
}
