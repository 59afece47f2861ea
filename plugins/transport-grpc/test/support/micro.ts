import { createService, MicroError, type Service, type ServiceClient } from '@micro/core'
import { codeFromNumber } from '@micro/core/errors'
import { memoryLogger } from '@micro/core/logger'
import { memoryRegistry } from '@micro/core/registry'
import { fromProto, protobufCodec } from '@micro/plugin-codec-protobuf'
import { type GrpcTransportOptions, grpcTransport } from '@micro/plugin-transport-grpc'
import { GreeterService } from '../gen/micro/grpc/v1/greeter_pb.ts'
import { afterwards } from './closing.ts'

export const Greeter = fromProto(GreeterService)

const base = {
  logger: memoryLogger(),
  codecs: [protobufCodec()],
  shutdown: { signals: false, spread: 0, drain: 300 },
}

export interface MicroServer {
  readonly url: string
  readonly service: Service
  readonly started: Promise<void>
  readonly cancelled: Promise<unknown>
}

/** Our server of the greeter. */
export async function startMicro(options: GrpcTransportOptions = {}): Promise<MicroServer> {
  const cancelled = Promise.withResolvers<unknown>()
  const started = Promise.withResolvers<void>()
  const service = createService({
    ...base,
    name: 'greeter',
    registry: memoryRegistry(),
    transports: [grpcTransport(options)],
  })
  afterwards(() => service.stop())
  service.handle(Greeter, {
    sayHello({ name }, context) {
      context.headers.set('x-header', context.metadata.get('x-request') ?? '')
      context.trailers.set('x-trailer', 'end')
      return { text: `Hello ${name}` }
    },
    fail: ({ code }) => {
      throw new MicroError(codeFromNumber(code), 'as asked, 100 % ünïcödé', {
        details: [
          { type: 'micro.grpc.v1.SayHelloRequest', value: Uint8Array.of(0x0a, 0x01, 0x41) },
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
      let sum = 0
      for await (const { value } of values) sum += value
      return { sum }
    },
    async *chat(words) {
      for await (const { text } of words) yield { text: `${text}!` }
    },
  })
  await service.start()
  const url = service.nodes[0]?.endpoints[0]?.url as string
  return { url, service, started: started.promise, cancelled: cancelled.promise }
}

/** Our client of a greeter at `url`. */
export async function microClient(
  url: string,
  options: GrpcTransportOptions = {},
): Promise<ServiceClient<typeof Greeter.methods>> {
  const registry = memoryRegistry()
  await registry.register({
    schema: 1,
    id: 'greeter-1',
    service: Greeter.name,
    version: '1',
    weight: 1,
    labels: {},
    endpoints: [{ transport: 'grpc', url, contentTypes: ['application/proto'] }],
  })
  const client = createService({
    ...base,
    name: 'client',
    registry,
    transports: [grpcTransport(options)],
  })
  afterwards(() => client.stop())
  await client.start()
  return client.client(Greeter, { defaults: { contentType: 'application/proto' } })
}

export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of source) all.push(item)
  return all
}
