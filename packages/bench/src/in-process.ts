import { createService, defineService, unary } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { ServiceBroker } from 'moleculer'
import { compare, inFlight } from './measure.ts'
import { type Payload, payload } from './payload.ts'

const Local = defineService('local', { echo: unary<Payload, Payload>() })

export async function benchInProcess(): Promise<void> {
  const service = createService({
    name: 'local',
    logger: memoryLogger(),
    shutdown: { signals: false },
  })
  service.handle(Local, {
    async echo(input) {
      await null
      return input
    },
  })
  await service.start()
  const client = service.client(Local)
  const withTimeout = await startMoleculer(5_000)
  const withDefaults = await startMoleculer(0)

  const calls = 200_000
  for (const [label, width] of [
    ['sequential', 1],
    ['64 in flight', 64],
  ] as const) {
    const ours = {
      name: 'micro',
      run: (n: number) => inFlight(n, width, () => client.echo(payload)),
    }
    const peer = (broker: ServiceBroker, name: string) => ({
      name,
      run: (n: number) => inFlight(n, width, () => broker.call('local.echo', payload)),
    })
    await compare({
      what: `in-process, ${label}, deadline on both sides`,
      ours,
      peer: peer(withTimeout, 'moleculer with requestTimeout'),
      bar: 2,
      calls,
    })
    await compare({
      what: `in-process, ${label}, deadline on ours alone`,
      ours,
      peer: peer(withDefaults, 'moleculer without'),
      bar: 0.6,
      calls,
    })
  }
  await withTimeout.stop()
  await withDefaults.stop()
  await service.stop()
}

async function startMoleculer(requestTimeout: number): Promise<ServiceBroker> {
  const broker = new ServiceBroker({ logger: false, requestTimeout })
  broker.createService({
    name: 'local',
    actions: {
      async echo(context: { params: Payload }) {
        await null
        return context.params
      },
    },
  })
  await broker.start()
  return broker
}
