/** A server process for the TCP comparison: `node tcp-server.ts micro|bare|moleculer|nest`. */
import { type AddressInfo, createServer } from 'node:net'
import { createService, defineService, unary } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { msgpackCodec } from '@micro/plugin-codec-msgpack'
import { fromProto, protobufCodec } from '@micro/plugin-codec-protobuf'
import { tcpTransport } from '@micro/plugin-transport-tcp'
import { ServerTCP } from '@nestjs/microservices'
import { ServiceBroker } from 'moleculer'
import { createFramedSocket } from './bare-framing.ts'
import { serve } from './bench-server.ts'
import { EchoService } from './gen/micro/bench/v1/echo_pb.ts'
import type { Payload } from './payload.ts'
import { freePort, moleculerOptions } from './tcp-peers.ts'

const Proto = fromProto(EchoService)
const Remote = defineService('remote', { echo: unary<Payload, Payload>() })

await serve({
  async micro() {
    const service = createService({
      name: 'remote',
      logger: memoryLogger(),
      transports: [tcpTransport()],
      codecs: [msgpackCodec(), protobufCodec()],
    })
    service.handle(Remote, { echo: (input) => input })
    service.handle(Proto, { echo: ({ $typeName: _name, ...input }) => input })
    await service.start()
    return service.nodes[0]?.endpoints[0]?.url as string
  },
  bare: () =>
    new Promise((resolve) => {
      const server = createServer((socket) => {
        const send = createFramedSocket(socket, (id, message) => send(id, message))
      })
      server.listen(0, '127.0.0.1', () =>
        resolve(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`),
      )
    }),
  async moleculer() {
    const ports = { server: await freePort(), client: await freePort() }
    const broker = new ServiceBroker(moleculerOptions('server', ports))
    broker.createService({
      name: 'remote',
      actions: { echo: (context: { params: unknown }) => context.params },
    })
    await broker.start()
    return `tcp://127.0.0.1:${ports.server}/${ports.client}`
  },
  async nest() {
    const port = await freePort()
    const server = new ServerTCP({ host: '127.0.0.1', port })
    server.addHandler('echo', async (data: unknown) => data)
    await new Promise<void>((resolve) => server.listen(() => resolve()))
    return `tcp://127.0.0.1:${port}`
  },
})
