import { createService, defineService, unary } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { memoryRegistry, type Node } from '@micro/core/registry'
import { grpcTransport } from '@micro/plugin-transport-grpc'
import { startServer } from './bench-server.ts'
import { bareClient, connectClient, type GrpcPeer, niceClient } from './grpc-peers.ts'
import { compare, inFlight } from './measure.ts'
import { type Payload, payload } from './payload.ts'

const Remote = defineService('remote', { echo: unary<Payload, Payload>() })

const widths = [
  ['sequential', 1, 2_000],
  ['64 in flight', 64, 8_000],
] as const

/** The grpc transport beside its peers, each with one connection and JSON in gRPC's frames. */
export async function benchGrpc(): Promise<void> {
  const micro = await startServer('grpc-server.ts', 'micro')
  const registry = memoryRegistry()
  await registry.register(nodeAt(micro.url), { ttl: 3_600_000 })
  const service = createService({
    name: 'client',
    registry,
    logger: memoryLogger(),
    transports: [grpcTransport()],
    shutdown: { signals: false },
  })
  await service.start()
  const remote = service.client(Remote)

  for (const [kind, connect] of Object.entries({
    bare: bareClient,
    nice: niceClient,
    connect: connectClient,
  })) {
    const server = await startServer('grpc-server.ts', kind)
    const peer = connect(server.url)
    for (const [label, width, calls] of widths) {
      await compare({
        what: `grpc, unary JSON, one connection, ${label}`,
        ours: {
          name: 'micro',
          run: (n) => inFlight(n, width, () => remote.echo(payload)),
          cpu: micro.cpu,
        },
        peer: {
          name: peer.name,
          run: (n) => inFlight(n, width, () => peer.call(payload)),
          cpu: server.cpu,
        },
        calls,
        ...(kind === 'bare' ? { bar: 0.95 } : {}),
      })
    }
    if (kind === 'bare') await benchSizes(remote.echo, micro.cpu, peer, server.cpu)
    await peer.close()
    server.process.disconnect()
  }
  await service.stop()
  micro.process.disconnect()
}

/** Larger messages, beside grpc-js. */
async function benchSizes(
  call: (message: Payload) => Promise<unknown>,
  cpu: () => Promise<number>,
  peer: GrpcPeer,
  peerCpu: () => Promise<number>,
): Promise<void> {
  for (const [size, length, calls] of [
    ['10 KB', 10_000, 2_000],
    ['1 MB', 1_000_000, 60],
  ] as const) {
    const large: Payload = { ...payload, name: 'x'.repeat(length) }
    await compare({
      what: `grpc, unary JSON, ${size}, 16 in flight`,
      ours: { name: 'micro', run: (n) => inFlight(n, 16, () => call(large)), cpu },
      peer: {
        name: peer.name,
        run: (n) => inFlight(n, 16, () => peer.call(large)),
        cpu: peerCpu,
      },
      calls,
    })
  }
}

function nodeAt(url: string): Node {
  return {
    schema: 1,
    id: 'remote-1',
    service: 'remote',
    version: '1.0.0',
    weight: 1,
    labels: {},
    endpoints: [{ transport: 'grpc', url, contentTypes: ['application/json'] }],
  }
}
