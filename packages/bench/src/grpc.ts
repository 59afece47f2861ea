import { createService, defineService, serverStream, unary } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { memoryRegistry, type Node } from '@micro/core/registry'
import { grpcTransport } from '@micro/plugin-transport-grpc'
import { startServer } from './bench-server.ts'
import { bareClient, connectClient, type GrpcPeer, niceClient } from './grpc-peers.ts'
import { compare, inFlight } from './measure.ts'
import { type Payload, payload } from './payload.ts'

const Remote = defineService('remote', {
  echo: unary<Payload, Payload>(),
  flow: serverStream<{ count: number; size: number }, string>(),
})

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
  const read = async (count: number, size: number): Promise<void> => {
    let found = 0
    for await (const _message of remote.flow({ count, size })) found += 1
    if (found !== count) throw new Error(`${found} messages of ${count}`)
  }

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
    await benchStreams(read, micro.cpu, peer, server.cpu)
    await peer.close()
    server.process.disconnect()
  }
  await service.stop()
  micro.process.disconnect()
}

/** Messages of one stream, small and large, where the peer has one. A call is a message. */
async function benchStreams(
  read: (count: number, size: number) => Promise<void>,
  cpu: () => Promise<number>,
  { name, read: readPeer }: GrpcPeer,
  peerCpu: () => Promise<number>,
): Promise<void> {
  if (readPeer === undefined) return
  for (const [label, size, calls] of [
    ['90 bytes', 88, 10_000],
    ['64 KiB: 16 messages are 1 MiB', 65_534, 1_000],
  ] as const) {
    await compare({
      what: `grpc, messages down one stream, ${label}`,
      ours: { name: 'micro', run: (n) => read(n, size), cpu },
      peer: { name, run: (n) => readPeer(n, size), cpu: peerCpu },
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
