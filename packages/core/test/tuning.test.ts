import { defineService, memoryNetwork, retryPolicy, unary } from '@micro/core'
import { createConfig, objectSource } from '@micro/core/config'
import { MicroError } from '@micro/core/errors'
import { memoryLogger } from '@micro/core/logger'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { awake, quietService } from './support/services.ts'

const Work = defineService('work', {
  wait: unary<object, object>(),
  fail: unary<object, object>({ idempotency: 'idempotent' }),
})

test('limits, timeouts, policy and log level change while calls run', async () => {
  const network = memoryNetwork()
  const logger = memoryLogger({ level: 'warn' })
  const held = new Set<() => void>()
  let failures = 0
  const service = quietService({ network, logger, limits: { concurrentCalls: 2 } }).handle(Work, {
    wait: () => new Promise((resolve) => held.add(() => resolve({}))),
    fail() {
      failures += 1
      throw new MicroError('unavailable', 'not now')
    },
  })
  await service.start()
  const caller = quietService({ network })
  const work = caller.client(Work)

  const running = [work.wait({}), work.wait({})]
  await expect(work.wait({}, { retries: 0 })).rejects.toMatchObject({ code: 'resource_exhausted' })
  service.tune({ limits: { concurrentCalls: 3 } })
  running.push(work.wait({}))
  await expect(work.wait({}, { retries: 0 })).rejects.toMatchObject({ code: 'resource_exhausted' })
  await expect.poll(() => held.size).toBe(3)
  for (const release of held) release()
  await Promise.all(running)

  caller.tune({ timeout: 20 })
  await awake(() => expect(work.wait({})).rejects.toMatchObject({ code: 'deadline_exceeded' }))
  for (const release of held) release()
  caller.tune({ timeout: 5_000 })

  await expect(work.fail({})).rejects.toMatchObject({ code: 'unavailable' })
  const before = failures
  caller.tune({ policy: retryPolicy({ retries: 0 }) })
  failures = 0
  await expect(work.fail({})).rejects.toMatchObject({ code: 'unavailable' })
  expect([before, failures]).toEqual([3, 1])

  expect(logger.enabled('debug')).toBe(false)
  service.tune({ logLevel: 'debug' })
  expect(logger.enabled('debug')).toBe(true)
})

test('a bad setting is refused by name, and changes nothing', async () => {
  const logger = memoryLogger({ level: 'info' })
  const service = quietService({ logger })
  for (const [field, tuning] of [
    ['logLevel', { logLevel: 'loud' as never, limits: { concurrentCalls: 1 } }],
    ['timeout', { logLevel: 'debug' as const, timeout: -1 }],
    ['concurrentCalls', { logLevel: 'debug' as const, limits: { concurrentCalls: 0 } }],
    ['policy/0', { logLevel: 'debug' as const, policy: { name: 'x' } as never }],
  ] as const) {
    expect(() => service.tune(tuning)).toThrow(field)
    expect(logger.level).toBe('info')
  }
})

const settings = z.object({
  work: z.object({ logLevel: z.string(), limits: z.object({ concurrentCalls: z.number() }) }),
  retry: z.object({ retries: z.number() }),
})

test('bound to config, a service follows it under load; what it refuses changes nothing', async () => {
  const network = memoryNetwork()
  const logger = memoryLogger({ level: 'warn' })
  const values = (concurrentCalls: number, logLevel = 'warn') => ({
    work: { logLevel, limits: { concurrentCalls } },
    retry: { retries: 0 },
  })
  const live = objectSource({ name: 'live', values: values(100) })
  await using config = createConfig({ schema: settings, sources: [live], coalesce: 1 })
  await config.connect()
  let most = 0
  let now = 0
  const service = quietService({ network, logger, limits: { concurrentCalls: 1 } }).handle(Work, {
    async wait() {
      now += 1
      most = Math.max(most, now)
      await new Promise((resolve) => setImmediate(resolve))
      now -= 1
      return {}
    },
    fail: () => ({}),
  })
  const unbind = config.bind('work', (work) => service.tune(work as never))
  config.bind('retry', ({ retries }) => service.tune({ policy: retryPolicy({ retries }) }))
  await service.start()
  const work = quietService({ network }).client(Work)

  let stop = false
  const outcomes = { done: 0, refused: 0 }
  const load = Array.from({ length: 50 }, async () => {
    while (!stop) {
      try {
        await work.wait({}, { retries: 0 })
        outcomes.done += 1
      } catch (error) {
        if (!MicroError.is(error, 'resource_exhausted')) throw error
        outcomes.refused += 1
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
  })
  const goesOn = async (): Promise<void> => {
    const { done } = outcomes
    await expect.poll(() => outcomes.done).toBeGreaterThan(done + 100)
  }
  const set = async (next: unknown): Promise<void> => {
    const changed = new Promise((resolve) => config.onChange('work', resolve))
    live.replace(next as Record<string, unknown>)
    await changed
  }
  await goesOn()
  expect([most, outcomes.refused]).toEqual([50, 0])
  await set(values(5, 'debug'))
  await expect.poll(() => now).toBeLessThanOrEqual(5)
  most = 0
  await goesOn()
  expect(most).toBe(5)
  expect(outcomes.refused).toBeGreaterThan(0)
  expect(logger.level).toBe('debug')

  const refused = new Promise<MicroError>((resolve) => config.onRejected(resolve))
  await set(values(0, 'info'))
  expect((await refused).detail).toBe('work: limits.concurrentCalls: 0; give a whole number from 1')
  expect(config.health()).toMatchObject({ status: 'degraded' })
  expect(logger.level).toBe('debug')
  await goesOn()
  expect(most).toBe(5)

  await set(values(50))
  await expect.poll(() => config.health().status).toBe('up')
  unbind()
  await set(values(1))
  const { refused: refusals } = outcomes
  await goesOn()
  expect(outcomes.refused).toBe(refusals)
  stop = true
  await Promise.all(load)
})
