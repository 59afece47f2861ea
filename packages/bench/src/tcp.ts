import { createService, defineService, unary } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { memoryRegistry, type Node } from '@micro/core/registry'
import { msgpackCodec } from '@micro/plugin-codec-msgpack'
import { fromProto, protobufCodec } from '@micro/plugin-codec-protobuf'
import { tcpTransport } from '@micro/plugin-transport-tcp'
import { startServer } from './bench-server.ts'
import { EchoService } from './gen/micro/bench/v1/echo_pb.ts'
import { compare, inFlight } from './measure.ts'
import { type Payload, payload } from './payload.ts'
import { bareClient, moleculerClient, nestClient, type TcpPeer } from './tcp-peers.ts'

const Proto = fromProto(EchoService)
const Remote = defineService('remote', { echo: unary<Payload, Payload>() })

const widths = [
  ['sequential', 1, 4_000],
  ['64 in flight', 64, 20_000],
] as const

/** The tcp transport beside its peers, each with one connection and JSON. */
export async function benchTcp(): Promise<void> {
  const micro = await startServer('tcp-server.ts', 'micro')
  const registry = memoryRegistry()
  for (const name of ['remote', Proto.name])
    await registry.register(nodeAt(micro.url, name), { ttl: 3_600_000 })
  const service = createService({
    name: 'client',
    registry,
    logger: memoryLogger(),
    transports: [tcpTransport()],
    codecs: [msgpackCodec(), protobufCodec()],
    shutdown: { signals: false },
  })
  await service.start()
  const json = service.client(Remote, { defaults: { contentType: 'application/json' } })

  const bars: Record<string, Record<string, number>> = {
    bare: { '64 in flight': 0.6 },
    moleculer: { sequential: 1, '64 in flight': 1.5 },
  }
  const clients = { bare: bareClient, moleculer: moleculerClient, nest: nestClient }
  for (const [kind, connect] of Object.entries(clients)) {
    const server = await startServer('tcp-server.ts', kind)
    const peer = await connect(server.url)
    for (const [label, width, calls] of widths) {
      const bar = bars[kind]?.[label]
      await compare({
        what: `tcp, unary JSON, one connection, ${label}`,
        ours: {
          name: 'micro',
          run: (n) => inFlight(n, width, () => json.echo(payload)),
          cpu: micro.cpu,
        },
        peer: {
          name: peer.name,
          run: (n) => inFlight(n, width, () => peer.call(payload)),
          cpu: server.cpu,
        },
        calls,
        ...(bar === undefined ? {} : { bar }),
      })
    }
    if (kind === 'bare') await benchSizes(service, micro.cpu, peer, server.cpu)
    await peer.close()
    server.process.disconnect()
  }
  await service.stop()
  micro.process.disconnect()
}

/** Larger messages, MessagePack and protobuf, beside the bare server's JSON. */
async function benchSizes(
  service: ReturnType<typeof createService>,
  cpu: () => Promise<number>,
  peer: TcpPeer,
  peerCpu: () => Promise<number>,
): Promise<void> {
  for (const [size, length, calls] of [
    ['10 KB', 10_000, 4_000],
    ['1 MB', 1_000_000, 100],
  ] as const) {
    const large: Payload = { ...payload, name: 'x'.repeat(length) }
    for (const contentType of ['application/json', 'application/msgpack', 'application/proto']) {
      const client =
        contentType === 'application/proto'
          ? service.client(Proto)
          : service.client(Remote, { defaults: { contentType } })
      await compare({
        what: `tcp, ${contentType}, ${size}, 16 in flight`,
        ours: { name: 'micro', run: (n) => inFlight(n, 16, () => client.echo(large)), cpu },
        peer: {
          name: peer.name,
          run: (n) => inFlight(n, 16, () => peer.call(large)),
          cpu: peerCpu,
        },
        calls,
      })
    }
  }
}

function nodeAt(url: string, service: string): Node {
  return {
    schema: 1,
    id: `${service}-1`,
    service,
    version: '1.0.0',
    weight: 1,
    labels: {},
    endpoints: [
      {
        transport: 'tcp',
        url,
        contentTypes:
          service === Proto.name
            ? ['application/proto']
            : ['application/json', 'application/msgpack'],
      },
    ],
  }
}
