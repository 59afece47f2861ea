import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { ConnectError, type ConnectRouter } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import * as grpc from '@grpc/grpc-js'
import { createServer as createNice, ServerError } from 'nice-grpc'
import { GreeterService, SayHelloRequestSchema } from '../gen/micro/grpc/v1/greeter_pb.ts'
import { afterwards } from './closing.ts'
import { definitions } from './definitions.ts'

/** A foreign server of the greeter, whichever it is. */
export interface PeerServer {
  readonly url: string
  /** Resolves once a hanging call has come, and once it has been cancelled. */
  readonly started: Promise<void>
  readonly cancelled: Promise<unknown>
}

function hanging(): {
  readonly hang: (signal: AbortSignal) => Promise<never>
  readonly promises: Pick<PeerServer, 'started' | 'cancelled'>
} {
  const started = Promise.withResolvers<void>()
  const cancelled = Promise.withResolvers<unknown>()
  return {
    hang: (signal) =>
      new Promise((_resolve, reject) => {
        started.resolve()
        signal.addEventListener('abort', () => {
          cancelled.resolve(signal.reason)
          reject(signal.reason)
        })
      }),
    promises: { started: started.promise, cancelled: cancelled.promise },
  }
}

export async function connectServer(): Promise<PeerServer> {
  const { hang, promises } = hanging()
  const routes = (router: ConnectRouter) =>
    router.service(GreeterService, {
      sayHello({ name }, context) {
        context.responseHeader.set('x-header', context.requestHeader.get('x-request') ?? '')
        context.responseTrailer.set('x-trailer', 'end')
        return { text: `Hello ${name}` }
      },
      fail: ({ code }) => {
        throw new ConnectError('as asked, 100 % ünïcödé', code, { 'x-error': 'yes' }, [
          { desc: SayHelloRequestSchema, value: { name: 'A' } },
        ])
      },
      hang: (_input, context) => hang(context.signal),
      async *countdown({ from }) {
        for (let n = from; n > 0; n--) yield { n }
        if (from === 13) throw new ConnectError('thirteen', 11)
      },
      async sum(values) {
        let sum = 0
        for await (const { value } of values) sum += value
        return { sum }
      },
      async *chat(words) {
        for await (const { text } of words) yield { text: `${text}!` }
      },
    })
  const server = createServer(connectNodeAdapter({ routes }))
  const sessions = new Set<{ destroy(): void }>()
  server.on('session', (session) => sessions.add(session))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterwards(async () => {
    for (const session of sessions) session.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `grpc://127.0.0.1:${(server.address() as AddressInfo).port}`, ...promises }
}

export async function niceServer(): Promise<PeerServer> {
  const { hang, promises } = hanging()
  const server = createNice()
  type Context = {
    metadata: { get(name: string): string | undefined }
    header: { set(name: string, value: string): void }
    trailer: { set(name: string, value: string | Uint8Array): void }
    signal: AbortSignal
  }
  // Its types follow from generated code, which there is none of here.
  server.add(
    definitions as never,
    {
      async sayHello({ name }: { name: string }, context: Context) {
        context.header.set('x-header', context.metadata.get('x-request') ?? '')
        context.trailer.set('x-trailer', 'end')
        return { text: `Hello ${name}` }
      },
      async fail({ code }: { code: number }, context: Context) {
        context.trailer.set('grpc-status-details-bin', statusOf(code))
        context.trailer.set('x-error', 'yes')
        throw new ServerError(code, 'as asked, 100 % ünïcödé')
      },
      hang: (_input: object, context: Context) => hang(context.signal),
      async *countdown({ from }: { from: number }) {
        for (let n = from; n > 0; n--) yield { n }
        if (from === 13) throw new ServerError(11, 'thirteen')
      },
      async sum(values: AsyncIterable<{ value: number }>) {
        let sum = 0
        for await (const { value } of values) sum += value
        return { sum }
      },
      async *chat(words: AsyncIterable<{ text: string }>) {
        for await (const { text } of words) yield { text: `${text}!` }
      },
    } as never,
  )
  const port = await server.listen('127.0.0.1:0')
  afterwards(() => server.forceShutdown())
  return { url: `grpc://127.0.0.1:${port}`, ...promises }
}

export async function grpcJsServer(options: grpc.ServerOptions = {}): Promise<PeerServer> {
  const { hang, promises } = hanging()
  const server = new grpc.Server(options)
  server.addService(definitions as unknown as grpc.ServiceDefinition, {
    sayHello(
      call: grpc.ServerUnaryCall<{ name: string }, object>,
      callback: grpc.sendUnaryData<object>,
    ) {
      const headers = new grpc.Metadata()
      headers.set('x-header', String(call.metadata.get('x-request')[0]))
      call.sendMetadata(headers)
      const trailers = new grpc.Metadata()
      trailers.set('x-trailer', 'end')
      callback(null, { text: `Hello ${call.request.name}` }, trailers)
    },
    fail(
      call: grpc.ServerUnaryCall<{ code: number }, object>,
      callback: grpc.sendUnaryData<object>,
    ) {
      const metadata = new grpc.Metadata()
      metadata.set('grpc-status-details-bin', statusOf(call.request.code))
      metadata.set('x-error', 'yes')
      callback({ code: call.request.code, details: 'as asked, 100 % ünïcödé', metadata })
    },
    hang(call: grpc.ServerUnaryCall<object, object>) {
      const aborter = new AbortController()
      call.on('cancelled', () => aborter.abort())
      hang(aborter.signal).catch(() => undefined)
    },
    countdown(call: grpc.ServerWritableStream<{ from: number }, object>) {
      for (let n = call.request.from; n > 0; n--) call.write({ n })
      if (call.request.from === 13) call.emit('error', { code: 11, details: 'thirteen' })
      else call.end()
    },
    sum(
      call: grpc.ServerReadableStream<{ value: number }, object>,
      callback: grpc.sendUnaryData<object>,
    ) {
      let sum = 0
      call.on('data', ({ value }: { value: number }) => {
        sum += value
      })
      call.on('end', () => callback(null, { sum }))
    },
    chat(call: grpc.ServerDuplexStream<{ text: string }, object>) {
      call.on('data', ({ text }: { text: string }) => call.write({ text: `${text}!` }))
      call.on('end', () => call.end())
    },
  })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  afterwards(() => server.forceShutdown())
  return { url: `grpc://127.0.0.1:${port}`, ...promises }
}

/** A `google.rpc.Status` with a greeting for detail, written out. */
function statusOf(code: number): Buffer {
  const type = 'type.googleapis.com/micro.grpc.v1.SayHelloRequest'
  const any = [0x0a, type.length, ...Buffer.from(type), 0x12, 3, 0x0a, 1, 0x41]
  return Buffer.from([0x08, code, 0x1a, any.length, ...any])
}
