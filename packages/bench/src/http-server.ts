/** A server process for the HTTP comparison: `node http-server.ts micro|bare|connect`. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ConnectRouter } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { createService, defineService, unary } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { fromProto, protobufCodec } from '@micro/plugin-codec-protobuf'
import { httpTransport } from '@micro/plugin-transport-http'
import { serve } from './bench-server.ts'
import { EchoService } from './gen/micro/bench/v1/echo_pb.ts'
import type { Payload } from './payload.ts'

const Proto = fromProto(EchoService)
const Remote = defineService('remote', { echo: unary<Payload, Payload>() })

await serve({
  async micro() {
    const service = createService({
      name: 'remote',
      logger: memoryLogger(),
      transports: [httpTransport()],
      codecs: [protobufCodec()],
    })
    service.handle(Remote, { echo: (input) => input })
    service.handle(Proto, { echo: ({ $typeName: _name, ...input }) => input })
    await service.start()
    return service.nodes[0]?.endpoints[0]?.url as string
  },
  connect: () =>
    new Promise((resolve) => {
      const routes = (router: ConnectRouter): ConnectRouter =>
        router.service(EchoService, { echo: ({ $typeName: _name, ...input }) => input })
      const server = createServer(connectNodeAdapter({ routes }))
      server.listen(0, '127.0.0.1', () => resolve(urlOf(server)))
    }),
  bare: () =>
    new Promise((resolve) => {
      const server = createServer((request, response) => {
        const chunks: Buffer[] = []
        request.on('data', (chunk: Buffer) => chunks.push(chunk))
        request.on('end', () => {
          const input: unknown = JSON.parse(Buffer.concat(chunks).toString())
          const body = JSON.stringify(input)
          response.writeHead(200, {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
          })
          response.end(body)
        })
      })
      server.listen(0, '127.0.0.1', () => resolve(urlOf(server)))
    }),
})

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
