import { createService, defineService, serverStream } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { memoryRegistry } from '@micro/core/registry'
import type { Transport } from '@micro/core/transport'
import { grpcTransport } from '@micro/plugin-transport-grpc'
import { httpTransport } from '@micro/plugin-transport-http'
import { tcpTransport } from '@micro/plugin-transport-tcp'
import { startServer } from './bench-server.ts'
import { bareClient } from './grpc-peers.ts'
import { compare } from './measure.ts'

const Remote = defineService('remote', {
  flow: serverStream<{ count: number; size: number }, string>(),
})

const transports: Readonly<Record<string, () => Transport>> = {
  tcp: tcpTransport,
  grpc: grpcTransport,
  http: () => httpTransport({ protocol: 'http2' }),
}

/** Messages of one stream on each transport, beside bare grpc-js. A call is a message. */
export async function benchStreams(): Promise<void> {
  const bare = await startServer('grpc-server.ts', 'bare')
  const { name: peer, read: readBare, close } = bareClient(bare.url)
  for (const [name, open] of Object.entries(transports)) {
    const server = await startServer('grpc-server.ts', name === 'grpc' ? 'micro' : `micro-${name}`)
    const { read, stop } = await connect(name, open, server.url)
    for (const [label, size, calls] of [
      ['90 bytes', 88, 10_000],
      ['10 KB, a hundred are 1 MB', 9_998, 4_000],
      ['1 MB', 999_998, 60],
    ] as const) {
      await compare({
        what: `${name}, messages of JSON down one stream, ${label}`,
        ours: { name: 'micro', run: (n) => read(n, size), cpu: server.cpu },
        peer: { name: peer, run: (n) => readBare?.(n, size) as Promise<void>, cpu: bare.cpu },
        calls,
      })
    }
    await stop()
    server.process.disconnect()
  }
  close()
  bare.process.disconnect()
}

async function connect(name: string, open: () => Transport, url: string) {
  const registry = memoryRegistry()
  const endpoints = [{ transport: name, url, contentTypes: ['application/json'] }]
  const id = { schema: 1, id: 'remote-1', service: 'remote', version: '1.0.0' } as const
  await registry.register({ ...id, weight: 1, labels: {}, endpoints }, { ttl: 3_600_000 })
  const service = createService({
    name: 'client',
    registry,
    logger: memoryLogger(),
    transports: [open()],
    shutdown: { signals: false },
  })
  await service.start()
  const remote = service.client(Remote)
  return {
    stop: () => service.stop(),
    async read(count: number, size: number): Promise<void> {
      let found = 0
      for await (const _message of remote.flow({ count, size })) found += 1
      if (found !== count) throw new Error(`${found} messages of ${count}`)
    },
  }
}
