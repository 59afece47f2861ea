import { Agent } from 'node:http'
import { createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { createService, defineService, unary } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import type { Node } from '@micro/core/registry'
import { memoryRegistry } from '@micro/core/registry'
import { fromProto, protobufCodec } from '@micro/plugin-codec-protobuf'
import { httpTransport } from '@micro/plugin-transport-http'
import { Pool } from 'undici'
import { startServer } from './bench-server.ts'
import { EchoService } from './gen/micro/bench/v1/echo_pb.ts'
import { compare, inFlight } from './measure.ts'
import { type Payload, payload } from './payload.ts'

const Proto = fromProto(EchoService)
const Remote = defineService('remote', { echo: unary<Payload, Payload>() })
const connections = 64

export async function benchHttp(): Promise<void> {
  const micro = await startServer('http-server.ts', 'micro')
  const bare = await startServer('http-server.ts', 'bare')
  const connect = await startServer('http-server.ts', 'connect')
  const registry = memoryRegistry()
  for (const name of ['remote', Proto.name])
    await registry.register(nodeAt(micro.url, name), { ttl: 3_600_000 })
  const client = createService({
    name: 'client',
    registry,
    logger: memoryLogger(),
    transports: [httpTransport({ connections })],
    codecs: [protobufCodec()],
    shutdown: { signals: false },
  })
  await client.start()
  const remote = client.client(Remote)
  const proto = client.client(Proto, { defaults: { contentType: 'application/json' } })
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const transport = createConnectTransport({
    baseUrl: connect.url,
    httpVersion: '1.1',
    nodeOptions: { agent },
  })
  const connectClient = createClient(EchoService, transport)
  const pool = new Pool(bare.url, { connections })
  const callBare = async (): Promise<unknown> => {
    const { body } = await pool.request({
      method: 'POST',
      path: '/remote/echo',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(payload),
    })
    return body.json()
  }
  for (const [label, width, calls] of [
    ['sequential', 1, 3_000],
    ['64 in flight', 64, 12_000],
  ] as const) {
    await compare({
      what: `http, unary JSON over HTTP/1.1, ${connections} connections, ${label}`,
      ours: {
        name: 'micro',
        run: (n) => inFlight(n, width, () => remote.echo(payload)),
        cpu: micro.cpu,
      },
      peer: { name: 'node:http + undici', run: (n) => inFlight(n, width, callBare), cpu: bare.cpu },
      bar: 0.8,
      calls,
    })
    await compare({
      what: `http, the same for a .proto, ${label}`,
      ours: {
        name: 'micro',
        run: (n) => inFlight(n, width, () => proto.echo(payload)),
        cpu: micro.cpu,
      },
      peer: {
        name: 'connect-node',
        run: (n) => inFlight(n, width, () => connectClient.echo(payload)),
        cpu: connect.cpu,
      },
      calls: Math.ceil(calls / 3),
    })
  }
  await client.stop()
  await pool.close()
  agent.destroy()
  for (const { process: child } of [micro, bare, connect]) child.disconnect()
}

function nodeAt(url: string, service: string): Node {
  return {
    schema: 1,
    id: 'remote-1',
    service,
    version: '1.0.0',
    weight: 1,
    labels: {},
    endpoints: [
      { transport: 'http', url, contentTypes: ['application/json', 'application/proto'] },
    ],
  }
}
