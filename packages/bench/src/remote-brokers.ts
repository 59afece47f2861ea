import { randomUUID } from 'node:crypto'
import type { Broker } from '@micro/core/broker'
import { compare, inFlight, spreadOf } from './measure.ts'
import { payload } from './payload.ts'

/** One way to use a backend: ours, or its bare client. */
export interface BrokerSide {
  readonly name: string
  publish(topic: string, bodies: readonly Uint8Array[]): Promise<unknown>
  /** Resolves once it is open; returns its end. A group goes on where it was. */
  consume(
    topic: string,
    group: string,
    handle: (body: Uint8Array) => Promise<void>,
  ): Promise<() => Promise<unknown>>
  close(): Promise<unknown>
}

export interface BrokerBackend {
  readonly name: string
  readonly ours: BrokerSide
  readonly bare: BrokerSide
  /** Least ratio of our rate to the bare client's. */
  readonly bar: number
  /** Messages to consume in each round: about a second's, so that opening is a small part of it. */
  readonly backlog: number
  /** Makes a topic that both use. */
  readonly prepare: (topic: string) => Promise<unknown>
}

const body = new TextEncoder().encode(JSON.stringify(payload))

/** Our side, whatever the broker. */
export function microSide(broker: Broker): BrokerSide {
  return {
    name: 'micro',
    publish: (topic, bodies) =>
      broker.publish(
        topic,
        bodies.map((one) => ({ body: one, headers: {} })),
      ),
    async consume(topic, group, handle) {
      const subscription = await broker.subscribe(
        topic,
        async (_lane, batch) => {
          for (const delivery of batch) await handle(delivery.body)
          return batch.map(() => 'ack')
        },
        { group, batch: 100 },
      )
      return () => subscription.close()
    },
    close: () => broker.close(),
  }
}

/** Publishing one by one and in batches, consuming what is there, and the time from one to the other. */
export async function benchRemoteBroker(backend: BrokerBackend): Promise<void> {
  const { name, ours, bare, bar, prepare } = backend
  const topic = randomUUID()
  await prepare(topic)
  const single = (side: BrokerSide) => ({
    name: side.name,
    run: (calls: number) => inFlight(calls, 64, () => side.publish(topic, [body])),
    cpu,
  })
  await compare({
    what: `${name}: publishing, 64 at a time`,
    ours: single(ours),
    peer: single(bare),
    bar,
    calls: 5_000,
  })
  const hundred = Array.from({ length: 100 }, () => body)
  const batches = (side: BrokerSide) => ({
    name: side.name,
    run: (calls: number) => inFlight(calls / 100, 4, () => side.publish(topic, hundred)),
    cpu,
  })
  await compare({
    what: `${name}: publishing in batches of 100, 4 at a time`,
    ours: batches(ours),
    peer: batches(bare),
    bar,
    calls: 50_000,
  })
  await benchConsuming(backend)
  await benchLatency(backend)
}

interface Rate {
  readonly rate: number
  /** Microseconds for each message. */
  readonly cpu: number
}

/** Microseconds that this process has spent; both sides take turns in it. */
async function cpu(): Promise<number> {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** From when a consumer is open to the last message, of those that waited for it. */
async function benchConsuming(backend: BrokerBackend): Promise<void> {
  const { name, ours, bare, bar, prepare, backlog: calls } = backend
  const topic = randomUUID()
  await prepare(topic)
  const groupOf = (side: BrokerSide): string => `${side.name.replaceAll(' ', '-')}-${topic}`
  for (const side of [ours, bare]) {
    const end = await side.consume(topic, groupOf(side), async () => undefined)
    await end()
  }
  const hundred = Array.from({ length: 100 }, () => body)
  const rate = async (side: BrokerSide): Promise<Rate> => {
    const done = Promise.withResolvers<number>()
    let count = 0
    const end = await side.consume(topic, groupOf(side), async () => {
      count += 1
      if (count === calls) done.resolve(performance.now())
    })
    const opened = performance.now()
    const cpuBefore = await cpu()
    const milliseconds = (await done.promise) - opened
    const spent = (await cpu()) - cpuBefore
    await end()
    return { rate: calls / (milliseconds / 1_000), cpu: spent / calls }
  }
  const rounds: { ours: Rate; bare: Rate }[] = []
  for (let round = 0; round < 9; round++) {
    await inFlight(calls / 100, 4, () => bare.publish(topic, hundred))
    const first = round % 2 === 0 ? await rate(ours) : await rate(bare)
    const second = round % 2 === 0 ? await rate(bare) : await rate(ours)
    // The first two warm up.
    if (round < 2) continue
    rounds.push(round % 2 === 0 ? { ours: first, bare: second } : { ours: second, bare: first })
  }
  const ratio = spreadOf(rounds.map((one) => one.ours.rate / one.bare.rate))
  const cost = spreadOf(rounds.map((one) => one.ours.cpu / one.bare.cpu))
  const show = (values: number[]): string =>
    `${Math.round(spreadOf(values).median).toLocaleString('en')}/s`
  console.log(
    `${name}: consuming\n  ${ours.name} ${show(rounds.map((one) => one.ours.rate))}, ${bare.name} ${show(rounds.map((one) => one.bare.rate))}` +
      `\n  ratio ${ratio.median.toFixed(2)} (${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)})  ` +
      (ratio.median >= bar ? `bar ${bar} met` : `BAR ${bar} MISSED`) +
      `; CPU per message ${cost.median.toFixed(2)} × (${cost.low.toFixed(2)}–${cost.high.toFixed(2)})`,
  )
}

/** From publish to handler, one message at a time. */
async function benchLatency({ name, ours, bare, prepare }: BrokerBackend): Promise<void> {
  const shown: string[] = []
  for (const side of [ours, bare]) {
    const topic = randomUUID()
    await prepare(topic)
    let heard: (() => void) | undefined
    const end = await side.consume(topic, `latency-${topic}`, async () => heard?.())
    const times: number[] = []
    for (let at = 0; at < 1_200; at++) {
      const handled = new Promise<void>((resolve) => {
        heard = resolve
      })
      const started = performance.now()
      await side.publish(topic, [body])
      await handled
      // The first ones warm up.
      if (at >= 200) times.push(performance.now() - started)
    }
    await end()
    times.sort((a, b) => a - b)
    const at = (share: number): string => (times[Math.floor(times.length * share)] ?? 0).toFixed(2)
    shown.push(`${side.name} p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`)
  }
  console.log(`${name}: from publish to handler, one at a time\n  ${shown.join('; ')}`)
}
