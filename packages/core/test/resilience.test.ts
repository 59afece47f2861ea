import {
  createService,
  MicroError,
  memoryNetwork,
  memoryTransport,
  retryPolicy,
  type Service,
} from '@micro/core'
import type { Context } from '@micro/core/context'
import { memoryLogger } from '@micro/core/logger'
import type { Transport } from '@micro/core/transport'
import { expect, test } from 'vitest'
import { awake, Echo, quietService } from './support/services.ts'

type Fault = (node: string, method: string, context: Context) => Promise<void> | void

/** Three instances and a client whose connections fail as the test says. */
async function fleet(fault: Fault, options: Parameters<typeof quietService>[0] = {}) {
  const network = memoryNetwork()
  const calls: string[] = []
  const servers: Service[] = []
  for (let at = 0; at < 3; at++) {
    const server = quietService({ name: `server${at}`, network }).handle(Echo, {
      say: ({ text }, context) => {
        calls.push(server.id)
        if (context.retried) return { text: `${text} retried` }
        return { text }
      },
      once: (input) => {
        calls.push(server.id)
        return input
      },
      async *count() {
        yield 1
      },
      sum: async (values) => {
        let sum = 0
        for await (const value of values) sum += value
        return sum
      },
      async *chat() {},
    })
    await server.start()
    servers.push(server)
  }
  const inner = memoryTransport({ network })
  const transport: Transport = {
    ...inner,
    dial(endpoint, dial) {
      const connection = inner.dial(endpoint, dial)
      return {
        byReference: true,
        unary: async (head, body, context) => {
          await fault(dial.node, head.method, context)
          return connection.unary(head, body, context)
        },
        stream: (head, context) => connection.stream(head, context),
        ping: async (context) => {
          await fault(dial.node, 'ping', context)
          await connection.ping?.(context)
        },
        drain: () => connection.drain(),
        close: () => connection.close(),
      }
    },
  }
  const client = quietService({ name: 'client', network, transports: [transport], ...options })
  await client.start()
  return { echo: client.client(Echo), servers: servers.map(({ id }) => id), calls, client }
}
const refused = (): never => {
  throw new MicroError('unavailable', 'connection refused', { processed: 'no' })
}
const broken = (): never => {
  throw new MicroError('unavailable', 'connection reset', { processed: 'unknown' })
}

test('what was surely not processed is tried on every other node, whatever the method', async () => {
  let attempts = 0
  const { echo, calls } = await fleet(() => {
    attempts += 1
    if (attempts < 3) refused()
  })
  expect(await echo.once({ text: 'x' })).toEqual({ text: 'x' })
  expect(attempts).toBe(3)
  expect(calls).toHaveLength(1)
})

test('what may have been processed is repeated for idempotent methods only, and on another node', async () => {
  const tried: string[] = []
  const { echo } = await fleet((node) => {
    tried.push(node)
    if (tried.length === 1) broken()
  })
  expect(await awake(() => echo.say({ text: 'x' }))).toEqual({ text: 'x retried' })
  expect(new Set(tried).size).toBe(2)

  tried.length = 0
  await expect(echo.once({ text: 'x' })).rejects.toMatchObject({
    code: 'unavailable',
    origin: { side: 'client', method: 'once', node: tried[0], attempts: 1 },
  })
  expect(tried).toHaveLength(1)
})

test('retries: 0 forbids every one', async () => {
  let attempts = 0
  const { echo } = await fleet(() => {
    attempts += 1
    refused()
  })
  await expect(echo.say({ text: 'x' }, { retries: 0 })).rejects.toMatchObject({
    code: 'unavailable',
  })
  expect(attempts).toBe(1)
})

test('errors of a handler are not retried', async () => {
  let attempts = 0
  const { echo } = await fleet(() => {
    attempts += 1
    throw new MicroError('internal', 'a bug', { processed: 'yes' })
  })
  await expect(echo.say({ text: 'x' })).rejects.toMatchObject({ code: 'internal' })
  expect(attempts).toBe(1)
})

test('the budget bounds retries in an outage', async () => {
  let attempts = 0
  const { echo } = await fleet(
    () => {
      attempts += 1
      broken()
    },
    {
      policy: retryPolicy({ baseDelay: 0, budget: 0.1, budgetFloor: 5 }),
      ejection: { failures: 1_000_000 },
    },
  )
  await awake(async () => {
    for (let call = 0; call < 200; call++) await echo.say({ text: 'x' }).catch(() => undefined)
  })
  // 200 calls, 5 tokens saved and a tenth of a token per call earned.
  expect(attempts).toBeLessThanOrEqual(200 + 5 + 20)
  expect(attempts).toBeGreaterThan(215)
})

test('a hanging node costs an idempotent call a part of its time, not all', async () => {
  const tried: string[] = []
  const { echo } = await fleet((node, _method, context) => {
    tried.push(node)
    if (tried.length > 1) return
    return new Promise((_resolve, reject) => context.onCancel(reject))
  })
  const started = performance.now()
  await expect(awake(() => echo.say({ text: 'x' }, { timeout: 300 }))).resolves.toEqual({
    text: 'x retried',
  })
  expect(performance.now() - started).toBeLessThan(290)
})

test('a node that refuses leaves the pick at once, and comes back after its probe', async () => {
  let down = true
  const asked: string[] = []
  const state: { bad?: string } = {}
  const { echo, servers } = await fleet(
    (node, method) => {
      asked.push(`${node} ${method}`)
      if (node === state.bad && down) refused()
    },
    { ejection: { baseTime: 40, maxTime: 40 } },
  )
  state.bad = servers[0] as string
  await awake(async () => {
    while (!asked.includes(`${state.bad} say`)) await echo.say({ text: 'x' })
    const after = asked.length
    for (let call = 0; call < 100; call++) await echo.say({ text: 'x' })
    expect(asked.slice(after)).not.toContain(`${state.bad} say`)
    down = false
    await expect
      .poll(
        async () => {
          await echo.say({ text: 'x' })
          return asked.at(-1)
        },
        { interval: 1 },
      )
      .toBe(`${state.bad} say`)
  })
  expect(asked).toContain(`${state.bad} ping`)
})

test('never more than half of the nodes are out at once', async () => {
  const asked = new Set<string>()
  const { echo } = await fleet(
    (node) => {
      asked.add(node)
      broken()
    },
    { ejection: { failures: 1, baseTime: 60_000 } },
  )
  for (let call = 0; call < 50; call++) await echo.once({ text: 'x' }).catch(() => undefined)
  asked.clear()
  for (let call = 0; call < 100; call++) await echo.once({ text: 'x' }).catch(() => undefined)
  expect(asked.size).toBe(2)
})

test('equal keys reach one node, calls without a key reach all', async () => {
  const { echo, calls } = await fleet(() => undefined)
  for (let call = 0; call < 50; call++) await echo.say({ text: 'x' }, { key: 'ada' })
  expect(new Set(calls).size).toBe(1)
  for (let call = 0; call < 100; call++) await echo.say({ text: 'x' })
  expect(new Set(calls).size).toBe(3)
})

test('a service that uses what another closed is told clearly', async () => {
  const logger = memoryLogger()
  const registry = memoryNetwork().registry
  const first = createService({ name: 'first', registry, logger, shutdown: { signals: false } })
  const second = createService({ name: 'second', registry, logger, shutdown: { signals: false } })
  await first.start()
  await second.start()
  await first.stop()
  // Still in use by the second, so still open.
  expect(await registry.list()).toEqual([])
  await second.stop()
  await expect(registry.list()).rejects.toMatchObject({ code: 'failed_precondition' })
})
