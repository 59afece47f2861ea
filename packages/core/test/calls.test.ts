import {
  currentContext,
  defineService,
  detach,
  type Handlers,
  Metadata,
  MicroError,
  unary,
} from '@micro/core'
import { readBadRequest } from '@micro/core/errors'
import { memoryLogger } from '@micro/core/logger'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { awake, copies, Echo, networkWith, quietService } from './support/services.ts'

const handlers: Handlers<typeof Echo.methods> = {
  say: ({ text }) => ({ text }),
  once: ({ text }) => ({ text }),
  async *count({ to }) {
    for (let n = 1; n <= to; n++) yield n
  },
  async sum(values) {
    let sum = 0
    for await (const value of values) sum += value
    return sum
  },
  async *chat(words) {
    for await (const word of words) yield `${word}!`
  },
}

const collect = async <T>(source: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of source) all.push(item)
  return all
}

describe.each(copies)('calls in process, by %s', (copy) => {
  const started = async (over: Partial<typeof handlers> = {}) => {
    // A handler that never ends would hold the stop for the whole drain time.
    const shutdown = { signals: false, drain: 20 }
    const service = quietService({ ...networkWith(copy), shutdown }).handle(Echo, {
      ...handlers,
      ...over,
    })
    await service.start()
    return service.client(Echo)
  }

  test('all four kinds', async () => {
    const echo = await started()
    expect(await echo.say({ text: 'hi' })).toEqual({ text: 'hi' })
    expect(await collect(echo.count({ to: 40 }))).toEqual(
      Array.from({ length: 40 }, (_, at) => at + 1),
    )
    expect(await echo.sum([1, 2, 3])).toBe(6)
    expect(await collect(echo.chat(['a', 'b']))).toEqual(['a!', 'b!'])
  })

  test('a handler error of ours keeps code, detail and details; any other is hidden and logged', async () => {
    const logger = memoryLogger()
    const service = quietService({ ...networkWith(copy), logger }).handle(Echo, {
      ...handlers,
      say: () => {
        throw new MicroError('not_found', 'no such word', {
          details: [{ type: 'a.B', value: Uint8Array.of(1) }],
        })
      },
      once: async () => {
        throw new Error('password is hunter2')
      },
    })
    await service.start()
    const echo = service.client(Echo)
    await expect(echo.say({ text: '' })).rejects.toMatchObject({
      code: 'not_found',
      detail: 'no such word',
      details: [{ type: 'a.B' }],
      processed: 'yes',
      origin: { side: 'server', service: 'echo', method: 'say', node: service.id, attempts: 1 },
    })
    const hidden: unknown = await echo.once({ text: '' }).catch((error: unknown) => error)
    expect(hidden).toMatchObject({ code: 'internal', detail: 'internal error' })
    expect(JSON.stringify([String(hidden), (hidden as Error).stack])).not.toContain('hunter2')
    expect(JSON.stringify(logger.lines.map(({ fields }) => String(fields['error'])))).toContain(
      'hunter2',
    )
  })

  test('metadata goes both ways, as copies', async () => {
    const service = quietService(networkWith(copy)).handle(Echo, {
      ...handlers,
      say: (_input, context) => {
        const tenant = context.metadata.get('x-tenant') ?? 'none'
        context.metadata.set('x-tenant', 'changed')
        context.headers.set('x-answer', tenant)
        context.trailers.set('x-end', 'end')
        return { text: tenant }
      },
    })
    await service.start()
    const metadata = new Metadata({ 'x-tenant': 'acme' })
    const seen: (string | undefined)[] = []
    await service.client(Echo).say(
      { text: '' },
      {
        metadata,
        onHeaders: (headers) => seen.push(headers.get('x-answer')),
        onTrailers: (trailers) => seen.push(trailers.get('x-end')),
      },
    )
    expect(seen).toEqual(['acme', 'end'])
    expect(metadata.get('x-tenant')).toBe('acme')
  })

  test('a deadline ends the call, and the handler hears of it', async () => {
    let reason: unknown
    const echo = await started({
      once: () =>
        new Promise<{ text: string }>((_resolve, reject) => {
          const { signal } = currentContext()
          signal.addEventListener('abort', () => {
            reason = signal.reason
            reject(signal.reason)
          })
        }),
    })
    const failure = awake(() => echo.once({ text: '' }, { timeout: 30 }))
    await expect(failure).rejects.toMatchObject({
      code: 'deadline_exceeded',
      origin: { method: 'once' },
    })
    expect(MicroError.is(reason, 'deadline_exceeded')).toBe(true)
  })

  test("the caller's own signal rejects with its reason, untouched", async () => {
    const stuck = Promise.withResolvers<void>()
    const echo = await started({
      once: async () => {
        stuck.resolve()
        return new Promise<never>(() => undefined)
      },
    })
    const controller = new AbortController()
    const call = echo.once({ text: '' }, { signal: controller.signal })
    await stuck.promise
    const reason = Symbol('mine')
    controller.abort(reason)
    expect(await call.catch((error: unknown) => error)).toBe(reason)
    expect(
      await echo.say({ text: '' }, { signal: controller.signal }).catch((error: unknown) => error),
    ).toBe(reason)
  })

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 40])(
    'refuses a timeout of %s',
    async (timeout) => {
      const echo = await started()
      await expect(echo.say({ text: '' }, { timeout })).rejects.toMatchObject({
        code: 'invalid_argument',
        detail: expect.stringContaining('timeout'),
      })
    },
  )

  test('schemas: every failing path is named, on both sides, for unary calls and streams', async () => {
    const Shop = defineService('shop', {
      buy: unary({
        input: z.object({ items: z.array(z.object({ price: z.number() })), note: z.string() }),
        output: z.object({ total: z.number() }),
      }),
    })
    const service = quietService(networkWith(copy)).handle(Shop, {
      buy: ({ items }) => ({ total: items.length > 1 ? ('many' as never) : items.length }),
    })
    await service.start()
    const shop = service.client(Shop)
    expect(await shop.buy({ items: [{ price: 1 }], note: '' })).toEqual({ total: 1 })
    const bad: unknown = await shop
      .buy({ items: [{ price: 1 }, { price: 'x' as never }], note: 3 as never })
      .catch((error: unknown) => error)
    expect(bad).toMatchObject({ code: 'invalid_argument' })
    const fields = (bad as MicroError).details.flatMap(readBadRequest).map(({ field }) => field)
    expect(fields).toEqual(['items[1].price', 'note'])
    await expect(shop.buy({ items: [{ price: 1 }, { price: 2 }], note: '' })).rejects.toMatchObject(
      {
        code: 'internal',
        detail: expect.stringContaining('total'),
      },
    )
  })

  test('nested calls inherit what is left of the time; detached ones do not', async () => {
    const network = networkWith(copy)
    const left: Record<string, number> = {}
    const Back = defineService('back', { look: unary<string, void>() })
    const back = quietService(network).handle(Back, {
      look: (name, context) => {
        left[name] = context.remaining()
      },
    })
    const detachedDone = Promise.withResolvers<void>()
    const front = quietService(network)
    front.handle(Echo, {
      ...handlers,
      once: async (input) => {
        const client = front.client(Back)
        await client.look('nested')
        detach(() => void client.look('detached').then(detachedDone.resolve, detachedDone.reject))
        return input
      },
    })
    await back.start()
    await front.start()
    await front.client(Echo).once({ text: '' }, { timeout: 300 })
    await detachedDone.promise
    expect(left['nested']).toBeLessThanOrEqual(300)
    expect(left['nested']).toBeGreaterThan(0)
    expect(left['detached']).toBeGreaterThan(4_000)
  })
})

test('an unknown method, and a service nobody serves, are refused by name', async () => {
  const service = quietService().handle(Echo, handlers)
  await service.start()
  const Wider = defineService('echo', { missing: unary<void, void>() })
  await expect(service.client(Wider).missing()).rejects.toMatchObject({
    code: 'unimplemented',
    detail: 'unknown method "missing" of service "echo"',
  })
  const Nobody = defineService('nobody', { call: unary<void, void>() })
  await expect(service.client(Nobody).call()).rejects.toMatchObject({
    code: 'unavailable',
    detail: 'no node of service "nobody" is registered',
    processed: 'no',
  })
})

test('an asynchronous schema is awaited, and what it transforms reaches the handler once', async () => {
  const Times = defineService('times', {
    twice: unary({
      input: z.object({ n: z.string().transform(async (text) => Number(text)) }),
      output: z.number(),
    }),
  })
  const service = quietService(networkWith('codec')).handle(Times, { twice: ({ n }) => n * 2 })
  await service.start()
  expect(await service.client(Times).twice({ n: '21' })).toBe(42)
})

test('at the limit of concurrent calls more are refused at once, and not as a fault of the node', async () => {
  const release = Promise.withResolvers<void>()
  const service = quietService({ limits: { concurrentCalls: 2 } }).handle(Echo, {
    ...handlers,
    say: async (input) => {
      await release.promise
      return input
    },
  })
  await service.start()
  const echo = service.client(Echo)
  const running = [echo.say({ text: '1' }), echo.say({ text: '2' })]
  await expect(echo.say({ text: '3' }, { retries: 0 })).rejects.toMatchObject({
    code: 'resource_exhausted',
    processed: 'no',
    detail: expect.stringContaining('limits.concurrentCalls'),
  })
  release.resolve()
  await Promise.all(running)
  expect(await echo.say({ text: '4' })).toEqual({ text: '4' })
})
