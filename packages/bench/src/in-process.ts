import { createService, defineService, unary } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { ServiceBroker } from 'moleculer'
import { compare, inFlight } from './measure.ts'
import { type Payload, payload } from './payload.ts'

const Local = defineService('local', {
  echo: unary<Payload, Payload>(),
  awaitingEcho: unary<Payload, Payload>(),
})

/** One call in process with deadline and cancellation, to a handler that answers at once or awaits. */
export async function benchInProcess(): Promise<void> {
  const service = createService({
    name: 'local',
    logger: memoryLogger(),
    shutdown: { signals: false },
  })
  service.handle(Local, {
    echo: (input) => input,
    async awaitingEcho(input) {
      await null
      return input
    },
  })
  await service.start()
  const client = service.client(Local)
  const withTimeout = await startMoleculer(5_000)
  const withDefaults = await startMoleculer(0)
  const timeoutPeer = (action: string, width: number) => ({
    name: 'moleculer with requestTimeout',
    run: (n: number) => inFlight(n, width, () => withTimeout.call(action, payload)),
  })

  const calls = 200_000
  for (const [label, width] of [
    ['sequential', 1],
    ['64 in flight', 64],
  ] as const) {
    const awaiting = {
      name: 'micro',
      run: (n: number) => inFlight(n, width, () => client.awaitingEcho(payload)),
    }
    await compare({
      what: `in-process, ${label}, deadline on both sides`,
      ours: {
        name: 'micro',
        run: (n: number) => inFlight(n, width, () => client.echo(payload)),
      },
      peer: timeoutPeer('local.echo', width),
      bar: 2,
      calls,
    })
    await compare({
      what: `in-process, ${label}, awaiting handler, deadline on ours alone`,
      ours: awaiting,
      peer: {
        name: 'moleculer without',
        run: (n: number) =>
          inFlight(n, width, () => withDefaults.call('local.awaitingEcho', payload)),
      },
      bar: 0.6,
      calls,
    })
    await compare({
      what: `in-process, ${label}, awaiting handler, deadline on both sides`,
      ours: awaiting,
      peer: timeoutPeer('local.awaitingEcho', width),
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
      echo: (context: { params: Payload }) => context.params,
      async awaitingEcho(context: { params: Payload }) {
        await null
        return context.params
      },
    },
  })
  await broker.start()
  return broker
}
