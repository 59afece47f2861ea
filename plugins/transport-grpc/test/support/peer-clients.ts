import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import * as grpc from '@grpc/grpc-js'
import { ClientError, createChannel, createClient as createNice, Metadata } from 'nice-grpc'
import { GreeterService, SayHelloRequestSchema } from '../gen/micro/grpc/v1/greeter_pb.ts'
import { afterwards } from './closing.ts'
import { definitions } from './definitions.ts'

export interface PeerOptions {
  readonly timeout?: number
  readonly signal?: AbortSignal
}

/** A foreign client of the greeter, whichever it is. */
export interface PeerClient {
  /** With metadata `x-request`; resolves with the text, the header `x-header` and the trailer `x-trailer`. */
  say(name: string): Promise<readonly (string | undefined)[]>
  fail(code: number): Promise<unknown>
  hang(options: PeerOptions): Promise<unknown>
  countdown(from: number): AsyncIterable<number>
  sum(values: readonly number[]): Promise<number>
  chat(words: readonly string[]): AsyncIterable<string>
}

export interface PeerFailure {
  readonly code: number
  readonly message: string
  /** The name in the typed detail. */
  readonly detail?: string | undefined
}

/** What a peer's call was rejected with, as all of gRPC knows it. */
export async function failureOf(work: Promise<unknown>): Promise<PeerFailure> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof ConnectError) {
    const [detail] = error.findDetails(SayHelloRequestSchema)
    return { code: error.code, message: error.rawMessage, detail: detail?.name }
  }
  if (error instanceof ClientError) return { code: error.code, message: error.details }
  const { code, details, metadata } = error as grpc.ServiceError
  const [status] = metadata?.get('grpc-status-details-bin') ?? []
  const has = Buffer.isBuffer(status) && status.includes('micro.grpc.v1.SayHelloRequest')
  return { code, message: details, ...(has ? { detail: status.toString('latin1').at(-1) } : {}) }
}

const addressOf = (url: string): string => url.replace('grpc://', '')

export function connectClient(url: string): PeerClient {
  const transport = createGrpcTransport({ baseUrl: url.replace('grpc:', 'http:') })
  const client = createClient(GreeterService, transport)
  const { fail } = client
  return {
    async say(name) {
      let [header, trailer]: (string | null)[] = []
      const { text } = await client.sayHello(
        { name },
        {
          headers: { 'x-request': 'r' },
          onHeader: (headers) => {
            header = headers.get('x-header')
          },
          onTrailer: (trailers) => {
            trailer = trailers.get('x-trailer')
          },
        },
      )
      return [text, header ?? undefined, trailer ?? undefined]
    },
    fail: (code) => fail({ code }),
    hang: ({ timeout, signal }) =>
      client.hang(
        {},
        {
          ...(timeout === undefined ? {} : { timeoutMs: timeout }),
          ...(signal === undefined ? {} : { signal }),
        },
      ),
    async *countdown(from) {
      for await (const { n } of client.countdown({ from })) yield n
    },
    sum: async (values) => (await client.sum(each(values, (value) => ({ value })))).sum,
    async *chat(words) {
      for await (const { text } of client.chat(each(words, (text) => ({ text })))) yield text
    },
  }
}

export function niceClient(url: string): PeerClient {
  const channel = createChannel(addressOf(url))
  afterwards(() => channel.close())
  // Its types follow from generated code, which there is none of here.
  const client = createNice(definitions as never, channel) as unknown as Record<
    string,
    (input: unknown, options?: object) => Promise<unknown> & AsyncIterable<unknown>
  >
  const call = (name: string, input: unknown, options?: object) =>
    (client[name] as (typeof client)[string])(input, options)
  return {
    async say(name) {
      let [header, trailer]: (string | undefined)[] = []
      const answer = await call(
        'sayHello',
        { name },
        {
          metadata: Metadata({ 'x-request': 'r' }),
          onHeader: (headers: Metadata) => {
            header = headers.get('x-header')
          },
          onTrailer: (trailers: Metadata) => {
            trailer = trailers.get('x-trailer')
          },
        },
      )
      return [(answer as { text: string }).text, header, trailer]
    },
    fail: (code) => call('fail', { code }),
    hang({ timeout, signal }) {
      const aborter = new AbortController()
      signal?.addEventListener('abort', () => aborter.abort())
      // It leaves deadlines to a package of its own; the header is what that sends.
      const metadata = Metadata(timeout === undefined ? {} : { 'grpc-timeout': `${timeout}m` })
      return call('hang', {}, { signal: aborter.signal, metadata })
    },
    async *countdown(from) {
      for await (const item of call('countdown', { from })) yield (item as { n: number }).n
    },
    sum: async (values) =>
      (
        (await call(
          'sum',
          each(values, (value) => ({ value })),
        )) as { sum: number }
      ).sum,
    async *chat(words) {
      const answers = call(
        'chat',
        each(words, (text) => ({ text })),
      )
      for await (const item of answers) yield (item as { text: string }).text
    },
  }
}

export function grpcJsClient(url: string, options: grpc.ClientOptions = {}): PeerClient {
  const client = new grpc.Client(addressOf(url), grpc.credentials.createInsecure(), options)
  afterwards(() => client.close())
  const of = (name: string) => definitions[name] as (typeof definitions)[string]
  const unary = (
    name: string,
    input: Record<string, unknown>,
    settings: PeerOptions = {},
    seen?: string[],
  ) =>
    new Promise<unknown>((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = of(name)
      const metadata = new grpc.Metadata()
      metadata.set('x-request', 'r')
      const { timeout, signal } = settings
      const call = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        input,
        metadata,
        timeout === undefined ? {} : { deadline: Date.now() + timeout },
        (error, value) => (error === null ? setImmediate(resolve, value) : reject(error)),
      )
      signal?.addEventListener('abort', () => call.cancel())
      call.on('metadata', (headers) => seen?.push(String(headers.get('x-header')[0])))
      call.on('status', (status) => seen?.push(String(status.metadata.get('x-trailer')[0])))
    })
  return {
    async say(name) {
      const seen: string[] = []
      const answer = (await unary('sayHello', { name }, {}, seen)) as { text: string }
      return [answer.text, ...seen]
    },
    fail: (code) => unary('fail', { code }),
    hang: (settings) => unary('hang', {}, settings),
    async *countdown(from) {
      const { path, requestSerialize, responseDeserialize } = of('countdown')
      const answers = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, {
        from,
      })
      for await (const item of answers) yield (item as { n: number }).n
    },
    sum: (values) =>
      new Promise((resolve, reject) => {
        const { path, requestSerialize, responseDeserialize } = of('sum')
        const call = client.makeClientStreamRequest(
          path,
          requestSerialize,
          responseDeserialize,
          (error, value) =>
            error === null ? resolve((value as unknown as { sum: number }).sum) : reject(error),
        )
        for (const value of values) call.write({ value })
        call.end()
      }),
    async *chat(words) {
      const { path, requestSerialize, responseDeserialize } = of('chat')
      const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize)
      for (const text of words) call.write({ text })
      call.end()
      for await (const item of call) yield (item as { text: string }).text
    },
  }
}

export const codeCancelled: number = Code.Canceled
export const codeDeadline: number = Code.DeadlineExceeded

async function* each<T, U>(values: readonly T[], map: (value: T) => U): AsyncIterable<U> {
  for (const value of values) yield map(value)
}
