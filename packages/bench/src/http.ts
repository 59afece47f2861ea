import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createService, defineService, unary } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import type { Node } from '@micro/core/registry'
import { memoryRegistry } from '@micro/core/registry'
import { httpTransport } from '@micro/plugin-transport-http'
import { Pool } from 'undici'
import { compare, inFlight } from './measure.ts'
import { type Payload, payload } from './payload.ts'

const Remote = defineService('remote', { echo: unary<Payload, Payload>() })
const connections = 64

export async function benchHttp(): Promise<void> {
  const micro = await startServer('micro')
  const bare = await startServer('bare')
  const registry = memoryRegistry()
  await registry.register(nodeAt(micro.url), { ttl: 3_600_000 })
  const client = createService({
    name: 'client',
    registry,
    logger: memoryLogger(),
    transports: [httpTransport({ connections })],
    shutdown: { signals: false },
  })
  await client.start()
  const remote = client.client(Remote)
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
  }
  await client.stop()
  await pool.close()
  for (const { process: child } of [micro, bare]) child.disconnect()
}

interface BenchServer {
  readonly process: ChildProcess
  readonly url: string
  /** CPU microseconds of the server and of this process. */
  readonly cpu: () => Promise<number>
}

async function startServer(kind: 'micro' | 'bare'): Promise<BenchServer> {
  const child = fork(join(import.meta.dirname, 'http-server.ts'), [kind])
  const [{ url }] = (await once(child, 'message')) as [{ url: string }]
  return {
    process: child,
    url,
    async cpu() {
      child.send('cpu')
      const [{ cpu }] = (await once(child, 'message')) as [{ cpu: number }]
      const { user, system } = process.cpuUsage()
      return cpu + user + system
    },
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
    endpoints: [{ transport: 'http', url, contentTypes: ['application/json'] }],
  }
}
