import { faulty, type Injection, scripted, seeded } from '@micro/conformance/faults'
import { outcomeOf } from '@micro/conformance/kit'
import {
  bidiStream,
  createService,
  defineService,
  memoryNetwork,
  memoryTransport,
  serverStream,
  unary,
} from '@micro/core'
import { Context, rootContext } from '@micro/core/context'
import { memoryLogger } from '@micro/core/logger'
import { Metadata } from '@micro/core/metadata'
import type { CallHead, Transport } from '@micro/core/transport'
import { afterEach, describe, expect, test } from 'vitest'
import { awake } from './support/awake.ts'

const Orders = defineService('orders', {
  place: unary<string, number>(),
  find: unary<string, number>({ idempotency: 'idempotent' }),
  count: serverStream<number, number>(),
  echo: bidiStream<string, string>(),
})
const opened: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]()
})

/** One service that calls itself through a faulty transport, and how often its handlers ran. */
async function serving(make: (transport: Transport) => Transport) {
  const network = memoryNetwork()
  const transport = make(memoryTransport({ network }))
  const counted = Promise.withResolvers<void>()
  const ran = { place: 0, find: 0, count: 0 }
  const service = createService({
    name: 'orders',
    network,
    transports: [transport],
    logger: memoryLogger(),
    shutdown: { signals: false, drain: 20 },
  }).handle(Orders, {
    place: () => ++ran.place,
    find: () => ++ran.find,
    async *count(to) {
      ran.count += 1
      try {
        for (let n = 1; n <= to; n++) yield n
      } finally {
        counted.resolve()
      }
    },
    async *echo(words) {
      for await (const word of words) yield `${word}!`
    },
  })
  opened.push(service)
  await service.start()
  return { orders: service.client(Orders), ran, endless: counted.promise }
}

const scriptedTransport =
  (...script: Injection[]) =>
  (transport: Transport): Transport =>
    faulty(transport, scripted(script))

describe('a service that calls through a faulty transport', () => {
  test('without a fault calls as ever', async () => {
    const { orders, ran } = await serving(scriptedTransport())
    expect(await orders.place('a')).toBe(1)
    expect(await Array.fromAsync(orders.count(3))).toEqual([1, 2, 3])
    expect(await Array.fromAsync(orders.echo(['a', 'b']))).toEqual(['a!', 'b!'])
    expect(ran).toEqual({ place: 1, find: 0, count: 1 })
  })

  test('repeats what was not done, and reports what may have been', async () => {
    const { orders, ran } = await serving(
      scriptedTransport(
        { kind: 'fail_after', method: 'dial.unary', call: 1 },
        { kind: 'fail_before', method: 'dial.unary', call: 2 },
        { kind: 'fail_before', method: 'dial.unary', call: 4 },
      ),
    )
    expect(await outcomeOf(orders.place('a'))).toMatchObject({
      code: 'unavailable',
      processed: 'unknown',
      origin: { method: 'place' },
    })
    expect(ran.place).toBe(1)
    expect(await awake(() => orders.place('a'))).toBe(2)
    const once = orders.place('a', { retries: 0 })
    expect(await outcomeOf(once)).toMatchObject({ code: 'unavailable', processed: 'no' })
    expect(ran.place).toBe(2)
  })

  test('a duplicated call reaches the handler twice', async () => {
    const { orders, ran } = await serving(
      scriptedTransport({ kind: 'duplicate', method: 'dial.unary', call: 1 }),
    )
    expect(await orders.place('a')).toBe(2)
    expect(ran.place).toBe(2)
  })

  test('a dropped call ends with its deadline or its signal, and is not done', async () => {
    const { orders, ran } = await serving(
      scriptedTransport(
        { kind: 'drop', method: 'dial.unary', call: 1 },
        { kind: 'drop', method: 'dial.unary', call: 2 },
      ),
    )
    const late = awake(() => orders.place('a', { timeout: 20 }))
    expect(await outcomeOf(late)).toMatchObject({ code: 'deadline_exceeded' })
    const controller = new AbortController()
    const given = outcomeOf(orders.place('a', { signal: controller.signal }))
    controller.abort('enough')
    expect(await given).toBe('enough')
    expect(ran.place).toBe(0)
  })

  test('a stream is cut off, late, or never opened', async () => {
    const { orders, ran } = await serving(
      scriptedTransport(
        { kind: 'cut', items: 2, method: 'dial.stream', call: 1 },
        { kind: 'delay', milliseconds: 1, method: 'dial.stream', call: 2 },
        { kind: 'drop', method: 'dial.stream', call: 3 },
      ),
    )
    const seen: number[] = []
    const reading = (async () => {
      for await (const n of orders.count(5)) seen.push(n)
    })()
    expect(await outcomeOf(reading)).toMatchObject({ code: 'unavailable' })
    expect(seen).toEqual([1, 2])
    expect(await awake(() => Array.fromAsync(orders.echo(['a', 'b'])))).toEqual(['a!', 'b!'])
    const controller = new AbortController()
    const never = outcomeOf(Array.fromAsync(orders.count(5, { signal: controller.signal })))
    controller.abort('enough')
    expect(await never).toBe('enough')
    expect(ran.count).toBe(1)
  })

  test('a stream that was late ends with its reader, as any other', async () => {
    const { orders, endless } = await serving(
      scriptedTransport({ kind: 'delay', milliseconds: 1, method: 'dial.stream', call: 1 }),
    )
    await awake(async () => {
      for await (const n of orders.count(Number.POSITIVE_INFINITY)) if (n === 2) break
      await endless
    })
  })

  test('keeps every promise under faults by chance', async () => {
    const probabilities = {
      fail_before: 0.1,
      fail_after: 0.1,
      duplicate: 0.1,
      delay: 0.2,
      reorder: 0.1,
    }
    const plan = seeded({ seed: 3, probabilities, delay: 1, hold: 1, methods: ['dial.unary'] })
    const { orders, ran } = await serving((transport) => faulty(transport, plan))
    const outcomes = await awake(() =>
      Promise.all(
        Array.from({ length: 200 }, (_, at) => outcomeOf(orders.place(`${at}`, { retries: 0 }))),
      ),
    )
    const failed = outcomes.filter((error) => error !== undefined)
    for (const error of failed) expect(error).toMatchObject({ code: 'unavailable' })
    const count = (processed: string): number =>
      failed.filter((error) => (error as { processed: string }).processed === processed).length
    expect(count('unknown')).toBeGreaterThan(0)
    expect(ran.place).toBeGreaterThanOrEqual(200 - count('no'))
  })
})

describe('a dialled connection', () => {
  const head: CallHead = {
    service: 'orders',
    method: 'place',
    kind: 'unary',
    idempotency: 'unknown',
    contentType: 'application/json',
    metadata: new Metadata(),
  }
  const dropAll = (transport: Transport) =>
    faulty(
      transport,
      seeded({ seed: 1, probabilities: { drop: 1 }, methods: ['dial.unary', 'dial.stream'] }),
    )

  test('ends what was dropped on it when it is closed, and leaves others alone', async () => {
    const transport = dropAll(memoryTransport({ network: memoryNetwork() }))
    const [one, two] = [1, 2].map(() =>
      transport.dial({ transport: 'memory', url: 'memory:' }, { node: 'a' }),
    )
    if (one === undefined || two === undefined) return
    const context = new Context(rootContext)
    const call = async (connection: typeof one) => connection.unary(head, new Uint8Array(), context)
    const first = outcomeOf(call(one))
    const stream = one.stream({ ...head, kind: 'bidi_stream' }, context)
    const read = outcomeOf(stream.next())
    let ended = false
    const second = outcomeOf(call(two)).finally(() => {
      ended = true
    })
    await one.close()
    expect(await first).toMatchObject({ code: 'unavailable' })
    expect(await read).toMatchObject({ code: 'unavailable' })
    expect(await outcomeOf(stream.headers)).toMatchObject({ code: 'unavailable' })
    expect(ended).toBe(false)
    // What is closed loses no calls any more.
    expect(await outcomeOf(call(one))).toMatchObject({ code: 'unavailable', processed: 'no' })
    await transport.close()
    expect(await second).toMatchObject({ code: 'failed_precondition' })
    context.finish()
  })

  test('a stream that is given up before it was opened ends at once', async () => {
    const transport = dropAll(memoryTransport({ network: memoryNetwork() }))
    const connection = transport.dial({ transport: 'memory', url: 'memory:' }, { node: 'a' })
    const context = new Context(rootContext)
    const stream = connection.stream({ ...head, kind: 'bidi_stream' }, context)
    const written = outcomeOf((async () => stream.write(new Uint8Array()))())
    await stream.return?.()
    expect(await written).toMatchObject({ code: 'cancelled' })
    expect([...stream.trailers.keys()]).toEqual([])
    context.finish()
  })

  test('a stream that was late and is given up then, gives up the real one', async () => {
    const real = memoryTransport({ network: memoryNetwork() })
    const { dial } = real
    let ended = 0
    real.dial = (...given) => {
      const connection = dial(...given)
      const open = connection.stream.bind(connection)
      connection.stream = (...call) => {
        const stream = open(...call)
        stream.return = async () => {
          ended += 1
          return { done: true, value: undefined }
        }
        return stream
      }
      return connection
    }
    const delay = { kind: 'delay', milliseconds: 1, method: 'dial.stream', call: 1 } as const
    const transport = faulty(real, scripted([delay]))
    const connection = transport.dial({ transport: 'memory', url: 'memory:' }, { node: 'a' })
    const context = new Context(rootContext)
    const stream = connection.stream({ ...head, kind: 'bidi_stream' }, context)
    expect(await awake(() => outcomeOf(stream.next()))).toMatchObject({ code: 'unavailable' })
    expect(ended).toBe(0)
    await stream.return?.()
    expect(ended).toBe(1)
    context.finish()
  })
})
