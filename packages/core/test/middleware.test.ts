import {
  accessLog,
  currentContext,
  defineService,
  forwardMetadata,
  MicroError,
  type Middleware,
  recovery,
  requestId,
  unary,
} from '@micro/core'
import { consoleLogger, memoryLogger } from '@micro/core/logger'
import { memoryMeter } from '@micro/core/meter'
import { requestIdKey } from '@micro/core/middleware'
import { memoryTracer, parseTraceparent } from '@micro/core/tracer'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { copies, Echo, networkWith, quietService } from './support/services.ts'

const handlers = {
  say: (input: { text: string }) => input,
  once: (): never => {
    throw new Error('secret')
  },
  async *count({ to }: { to: number }) {
    for (let n = 1; n <= to; n++) yield n
    if (to === 13) throw new Error('secret')
  },
  sum: async () => 0,
  async *chat() {},
}
const drain = async (source: AsyncIterable<unknown>): Promise<void> => {
  for await (const _item of source);
}

test('the first middleware is the outermost, on both sides, for unary calls and streams', async () => {
  const order: string[] = []
  const note =
    (name: string): Middleware =>
    async (call, next) => {
      order.push(`${call.side} ${name} in`)
      const result = await next(call)
      order.push(`${call.side} ${name} out`)
      return result
    }
  const service = quietService({
    middleware: { server: [note('a'), note('b')], client: [note('a'), note('b')] },
  }).handle(Echo, handlers, { middleware: [note('own')] })
  await service.start()
  const echo = service.client(Echo)
  const expected = [
    'client a in',
    'client b in',
    'server a in',
    'server b in',
    'server own in',
    'server own out',
    'server b out',
    'server a out',
    'client b out',
    'client a out',
  ]
  await echo.say({ text: 'x' })
  expect(order).toEqual(expected)
})

test('a middleware may change what goes in and what comes out', async () => {
  const service = quietService({
    middleware: {
      server: [
        async (call, next) => {
          const input = { text: `${(call.input as { text: string }).text} in` }
          const output = (await next({ ...call, input })) as { text: string }
          return { text: `${output.text} out` }
        },
      ],
    },
  }).handle(Echo, handlers)
  await service.start()
  expect(await service.client(Echo).say({ text: 'x' })).toEqual({ text: 'x in out' })
})

test('recovery translates what handlers throw, in streams too', async () => {
  const map = (error: unknown) => new MicroError('aborted', `mapped ${(error as Error).message}`)
  const service = quietService({ middleware: { server: [recovery({ map })] } }).handle(
    Echo,
    handlers,
  )
  await service.start()
  const echo = service.client(Echo)
  await expect(echo.once({ text: '' })).rejects.toMatchObject({
    code: 'aborted',
    detail: 'mapped secret',
  })
  await expect(drain(echo.count({ to: 13 }))).rejects.toMatchObject({
    code: 'aborted',
    detail: 'mapped secret',
  })
})

test.each(copies)(
  'a request id is taken over, sent on, and made where there is none (by %s)',
  async (copy) => {
    const network = networkWith(copy)
    const seen: (string | undefined)[] = []
    const Back = defineService('back', { look: unary<void, void>() })
    const middleware = { server: [requestId()], client: [requestId()] }
    const back = quietService({ ...network, middleware }).handle(Back, {
      look: (_input, context) => void seen.push(context.metadata.get('x-request-id')),
    })
    const front = quietService({ ...network, middleware })
    front.handle(Echo, {
      ...handlers,
      say: async (input) => {
        seen.push(currentContext().get(requestIdKey))
        await front.client(Back).look()
        return input
      },
    })
    await back.start()
    await front.start()
    const echo = front.client(Echo)
    await echo.say({ text: '' }, { metadata: { 'x-request-id': 'mine' } })
    expect(seen).toEqual(['mine', 'mine'])
    let answered: string | undefined
    await echo.say(
      { text: '' },
      { onHeaders: (headers) => (answered = headers.get('x-request-id')) },
    )
    expect(answered).toMatch(/^[0-9a-f-]{36}$/)
    expect(seen.slice(2)).toEqual([answered, answered])
  },
)

test('named metadata is forwarded to calls below, other metadata is not', async () => {
  const network = networkWith('codec')
  let below: unknown
  const Back = defineService('back', { look: unary<void, void>() })
  const back = quietService(network).handle(Back, {
    look: (_input, context) => {
      below = context.metadata.toJSON()
    },
  })
  const front = quietService({
    ...network,
    middleware: { server: [forwardMetadata({ keys: ['X-Tenant'] })] },
  })
  front.handle(Echo, {
    ...handlers,
    say: async (input) => {
      await front.client(Back).look()
      return input
    },
  })
  await back.start()
  await front.start()
  await front.client(Echo).say({ text: '' }, { metadata: { 'x-tenant': 'acme', 'x-secret': 's' } })
  expect(below).toEqual({ 'x-tenant': 'acme' })
})

test('the access log tells of each call when it has ended', async () => {
  const logger = memoryLogger()
  const service = quietService({ middleware: { server: [accessLog({ logger })] } }).handle(
    Echo,
    handlers,
  )
  await service.start()
  const echo = service.client(Echo)
  await echo.say({ text: '' })
  await echo.once({ text: '' }).catch(() => undefined)
  await drain(echo.count({ to: 3 }))
  const lines = logger.lines.map(({ level, fields }) => [
    level,
    fields['rpc.method'],
    fields['rpc.code'],
    fields['rpc.messages'],
  ])
  expect(lines).toEqual([
    ['info', 'say', 'ok', 1],
    ['error', 'once', 'unknown', 0],
    ['info', 'count', 'ok', 3],
  ])
})

test.each(copies)(
  'one trace goes through all calls, and metrics count them (by %s)',
  async (copy) => {
    const network = networkWith(copy)
    const tracer = memoryTracer()
    const meter = memoryMeter()
    const Back = defineService('back', { look: unary<void, void>() })
    const back = quietService({ ...network, tracer }).handle(Back, { look: () => undefined })
    const front = quietService({ ...network, tracer, meter })
    front.handle(Echo, {
      ...handlers,
      say: async (input) => {
        await front.client(Back).look()
        return input
      },
    })
    await back.start()
    await front.start()
    const metadata = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` }
    void metadata
    await front.client(Echo).say({ text: '' })
    const spans = tracer.spans.map(({ name, kind }) => `${kind} ${name}`)
    expect(spans).toEqual([
      'server back/look',
      'client back/look',
      'server echo/say',
      'client echo/say',
    ])
    expect(new Set(tracer.spans.map(({ context }) => context.traceId)).size).toBe(1)
    for (const [at, span] of tracer.spans.slice(0, -1).entries()) {
      expect(span.parent?.spanId).toBe(tracer.spans[at + 1]?.context.spanId)
    }
    const counts = meter
      .collect()
      .map(({ name, attributes, count }) => [name, attributes['rpc.method'], count])
    expect(counts).toContainEqual(['rpc.server.duration', 'say', 1])
    expect(counts).toContainEqual(['rpc.client.duration', 'look', 1])
  },
)

test('traceparent is read as the W3C says', () => {
  const good = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`
  expect(parseTraceparent(good)).toEqual({
    traceId: '1'.repeat(32),
    spanId: '2'.repeat(16),
    sampled: true,
  })
  expect(parseTraceparent(`cc-${'1'.repeat(32)}-${'2'.repeat(16)}-00-more`)?.sampled).toBe(false)
  for (const bad of [
    '',
    `ff${good.slice(2)}`,
    good.toUpperCase().replace('1', 'A'),
    `${good}-x`,
    good.replaceAll('1', '0'),
    good.replaceAll('2', '0'),
  ]) {
    expect(parseTraceparent(bad)).toBeUndefined()
  }
  fc.assert(fc.property(fc.string(), (text) => parseTraceparent(text) === undefined))
})

test('the console logger writes JSON whatever it is given', () => {
  const lines: string[] = []
  const logger = consoleLogger({ level: 'debug', write: (line) => lines.push(line) })
  const cycle: Record<string, unknown> = { n: 1n }
  cycle['self'] = cycle
  logger.child({ service: 'a' }).log('warn', 'hello', {
    cycle,
    error: new MicroError('aborted', 'why', { cause: new Error('deep') }),
  })
  logger.log('trace', 'below the level')
  expect(lines).toHaveLength(1)
  expect(JSON.parse(lines[0] as string)).toMatchObject({
    level: 'warn',
    message: 'hello',
    service: 'a',
    cycle: { n: '1', self: '[circular]' },
    error: { code: 'aborted', cause: { message: 'deep' } },
  })
  logger.level = 'trace'
  logger.log('trace', 'now')
  expect(lines).toHaveLength(2)
  consoleLogger({
    write: () => {
      throw new Error('disk full')
    },
  }).log('info', 'never throws')
})

test('the meter refuses one name for two kinds, and bounds its series', () => {
  const meter = memoryMeter()
  const counter = meter.counter('calls')
  expect(() => meter.histogram('calls')).toThrow('"calls" is a counter')
  for (let at = 0; at < 5_000; at++) counter.add(1, { id: at })
  const series = meter.collect()
  expect(series.length).toBeLessThanOrEqual(2_001)
  expect(series.reduce((sum, { value }) => sum + value, 0)).toBe(5_000)
  const histogram = meter.histogram('times', { boundaries: [1, 2] })
  for (const value of [0.5, 1.5, 9]) histogram.record(value)
  expect(meter.collect().find(({ name }) => name === 'times')).toMatchObject({
    count: 3,
    buckets: [1, 1, 1],
    value: 11,
  })
})
