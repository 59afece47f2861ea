import { createService, defineService, type Service, type ServiceOptions, unary } from '@micro/core'
import { Context, rootContext } from '@micro/core/context'
import { memoryLogger } from '@micro/core/logger'
import { Metadata } from '@micro/core/metadata'
import { memoryRegistry } from '@micro/core/registry'
import { noopTracer } from '@micro/core/tracer'
import type { CallHead, Connection } from '@micro/core/transport'
import { tcpTransport } from '@micro/plugin-transport-tcp'
import { type BenchServer, startServer } from './bench-server.ts'
import { compare, inFlight } from './measure.ts'
import { type Payload, payload } from './payload.ts'

const Remote = defineService('remote', { echo: unary<Payload, Payload>() })

const head: CallHead = {
  service: 'remote',
  method: 'echo',
  kind: 'unary',
  idempotency: 'unknown',
  contentType: 'application/json',
  metadata: new Metadata(),
}

/**
 * What each thing that a call gets on its way costs: each step beside the one before it, over the tcp
 * transport, which is the one where they weigh most.
 */
export async function benchCosts(): Promise<void> {
  const server = await startServer('tcp-server.ts', 'micro')
  const transport = tcpTransport()
  const connection = transport.dial({ transport: 'tcp', url: server.url }, { node: 'remote-1' })
  const one = await makeClient(server, 1)
  const ten = await makeClient(server, 10)
  const traced = await makeClient(server, 1, { tracer: noopTracer() })
  const { signal } = new AbortController()

  const bare = (timeout?: number) => () => callBare(connection, timeout)
  const steps: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['the connection alone, JSON both ways', bare()],
    ['and a deadline', bare(5_000)],
    ['and the client: selection, policy, cancellation', () => one.remote.echo(payload)],
    ['and a signal of the caller', () => one.remote.echo(payload, { signal })],
  ]
  const beside: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['ten nodes and connections instead of one', () => ten.remote.echo(payload)],
    ['a key, among ten nodes', () => ten.remote.echo(payload, { key: 'ada' })],
    ['a trace: made, carried, and kept in the context', () => traced.remote.echo(payload)],
  ]
  const plain = steps[2] as (typeof steps)[number]
  const pairs = [
    ...steps.slice(1).map((step, at) => [step, steps[at] as typeof plain] as const),
    ...beside.map((step) => [step, plain] as const),
  ]
  for (const [[name, call], [before, callBefore]] of pairs) {
    const side = (what: string, work: () => Promise<unknown>) => ({
      name: what,
      run: (n: number) => inFlight(n, 64, work),
      cpu: server.cpu,
    })
    await compare({
      what: `cost over tcp, 64 in flight: ${name}`,
      ours: side('with', call),
      peer: side(`without (${before})`, callBefore),
      calls: 20_000,
    })
  }
  await connection.close()
  await transport.close()
  for (const { service } of [one, ten, traced]) await service.stop()
  server.process.disconnect()
}

async function callBare(connection: Connection, timeout: number | undefined): Promise<unknown> {
  const context = new Context(rootContext, timeout === undefined ? {} : { timeout })
  try {
    const body = Buffer.from(JSON.stringify(payload))
    const reply = await connection.unary(head, body, context)
    return JSON.parse(Buffer.from(reply.body).toString())
  } finally {
    context.finish()
  }
}

async function makeClient(
  server: BenchServer,
  nodes: number,
  options: Pick<ServiceOptions, 'tracer'> = {},
): Promise<{ readonly service: Service; readonly remote: { echo: Echo } }> {
  const registry = memoryRegistry()
  for (let at = 1; at <= nodes; at++) {
    await registry.register(
      {
        schema: 1,
        id: `remote-${at}`,
        service: 'remote',
        version: '1.0.0',
        weight: 1,
        labels: {},
        endpoints: [{ transport: 'tcp', url: server.url, contentTypes: ['application/json'] }],
      },
      { ttl: 3_600_000 },
    )
  }
  const service = createService({
    name: 'client',
    registry,
    logger: memoryLogger(),
    transports: [tcpTransport()],
    shutdown: { signals: false },
    ...options,
  })
  await service.start()
  return { service, remote: service.client(Remote) }
}

type Echo = (
  input: Payload,
  options?: { readonly signal?: AbortSignal; readonly key?: string },
) => Promise<Payload>
