/** A server process for the gRPC comparison: `node grpc-server.ts micro|micro-http|micro-tcp|bare|nice|connect`. */
import { once } from 'node:events'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { ConnectRouter } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
} from '@grpc/grpc-js'
import { createService, defineService, serverStream, unary } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import type { Transport } from '@micro/core/transport'
import { grpcTransport } from '@micro/plugin-transport-grpc'
import { httpTransport } from '@micro/plugin-transport-http'
import { tcpTransport } from '@micro/plugin-transport-tcp'
import { createServer as createNice } from 'nice-grpc'
import { serve } from './bench-server.ts'
import { EchoService } from './gen/micro/bench/v1/echo_pb.ts'
import { methodOf } from './grpc-peers.ts'
import type { Payload } from './payload.ts'

const Remote = defineService('remote', {
  echo: unary<Payload, Payload>(),
  flow: serverStream<Flow, string>(),
})

interface Flow {
  readonly count: number
  readonly size: number
}

await serve({
  micro: () => startMicro(grpcTransport()),
  'micro-http': () => startMicro(httpTransport()),
  'micro-tcp': () => startMicro(tcpTransport()),
  bare: () =>
    new Promise((resolve, reject) => {
      const server = new Server()
      const methods = { echo: methodOf('echo', false), flow: methodOf('flow', true) }
      server.addService(methods as unknown as ServiceDefinition, {
        echo: (call: ServerUnaryCall<Payload, Payload>, callback: sendUnaryData<Payload>) =>
          callback(null, call.request),
        async flow(call: ServerWritableStream<Flow, string>) {
          const { count, size } = call.request
          const message = 'x'.repeat(size)
          for (let n = 0; n < count; n++) if (!call.write(message)) await once(call, 'drain')
          call.end()
        },
      })
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(`grpc://127.0.0.1:${port}`) : reject(error),
      )
    }),
  async nice() {
    const server = createNice()
    const echo = async (input: Payload): Promise<Payload> => input
    server.add({ echo: methodOf('echo', false) } as never, { echo } as never)
    return `grpc://127.0.0.1:${await server.listen('127.0.0.1:0')}`
  },
  connect: () =>
    new Promise((resolve) => {
      const routes = (router: ConnectRouter): ConnectRouter =>
        router.service(EchoService, { echo: ({ $typeName: _name, ...input }) => input })
      const server = createServer(connectNodeAdapter({ routes }))
      server.listen(0, '127.0.0.1', () =>
        resolve(`grpc://127.0.0.1:${(server.address() as AddressInfo).port}`),
      )
    }),
})

async function startMicro(transport: Transport): Promise<string> {
  const service = createService({
    name: 'remote',
    logger: memoryLogger(),
    transports: [transport],
  })
  service.handle(Remote, {
    echo: (input) => input,
    async *flow({ count, size }) {
      const message = 'x'.repeat(size)
      for (let n = 0; n < count; n++) yield message
    },
  })
  await service.start()
  return service.nodes[0]?.endpoints[0]?.url as string
}
