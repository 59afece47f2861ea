import { memoryAuth, type Subject } from '@micro/core/auth'
import { Context, currentContext, rootContext, runInContext } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import { createRenewal, memoryIdentity } from '@micro/core/identity'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

const orders: Subject = { id: 'orders', type: 'service', scopes: [], metadata: {} }

describe('a renewal', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  /** Gives 1, 2, 3 …, each for a minute, and fails when told to. */
  function counting(life = 60_000) {
    const state = { issued: 0, broken: false }
    const renewal = createRenewal({
      subject: 'the number',
      issue: async () => {
        if (state.broken) throw new MicroError('unavailable', 'nobody counts')
        state.issued += 1
        const expiresAt = life === Number.POSITIVE_INFINITY ? undefined : Date.now() + life
        return { value: state.issued, expiresAt }
      },
    })
    return { state, renewal }
  }

  test('comes at two thirds of the life, and not before', async () => {
    const { renewal } = counting()
    expect(await renewal.get()).toBe(1)
    await vi.advanceTimersByTimeAsync(37_000)
    expect(await renewal.get()).toBe(1)
    await vi.advanceTimersByTimeAsync(4_000)
    expect(await renewal.get()).toBe(2)
    renewal.stop()
  })

  test('of what does not lapse never comes', async () => {
    const { state, renewal } = counting(Number.POSITIVE_INFINITY)
    await renewal.get()
    expect(vi.getTimerCount()).toBe(0)
    await vi.advanceTimersByTimeAsync(1e9)
    expect(state.issued).toBe(1)
    renewal.stop()
  })

  test('of what lives for a year comes in its time, though timers reach 24 days only', async () => {
    const day = 86_400_000
    const { state, renewal } = counting(365 * day)
    await renewal.get()
    await vi.advanceTimersByTimeAsync(225 * day)
    expect(state.issued).toBe(1)
    await vi.advanceTimersByTimeAsync(20 * day)
    expect(state.issued).toBe(2)
    renewal.stop()
  })

  test('that fails keeps the old value while that holds, is told of, and is tried again', async () => {
    const { state, renewal } = counting()
    await renewal.get()
    state.broken = true
    await vi.advanceTimersByTimeAsync(45_000)
    expect(await renewal.get()).toBe(1)
    expect(renewal.health()).toMatchObject({
      status: 'degraded',
      detail: expect.stringContaining('nobody counts'),
    })
    await vi.advanceTimersByTimeAsync(20_000)
    await expect(renewal.get()).rejects.toMatchObject({
      code: 'unavailable',
      detail: expect.stringContaining('the number'),
    })
    expect(renewal.health().status).toBe('down')
    state.broken = false
    await vi.advanceTimersByTimeAsync(11_000)
    expect(renewal.latest()).toBe(2)
    expect(renewal.health()).toEqual({ status: 'up' })
    renewal.stop()
  })

  test('that is late because the machine slept is waited for', async () => {
    const { renewal } = counting()
    await renewal.get()
    vi.setSystemTime(Date.now() + 3_600_000)
    expect(await renewal.get()).toBe(2)
    renewal.stop()
  })

  test('of nothing that answers ends with its time, for all who wait', async () => {
    const renewal = createRenewal<number>({
      subject: 'the number',
      timeout: 1_000,
      issue: () => new Promise(() => undefined),
    })
    const outcomes = Promise.allSettled([renewal.get(), renewal.get()])
    await vi.advanceTimersByTimeAsync(1_000)
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { code: 'unavailable', detail: expect.stringContaining('within 1000 ms') },
      })
    }
    renewal.stop()
    expect(vi.getTimerCount()).toBe(0)
  })

  test('leaves no timer behind, ends its watches and refuses when stopped', async () => {
    const { renewal } = counting()
    await renewal.get()
    const watching = Array.fromAsync(renewal.watch())
    renewal.stop()
    expect(await watching).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
    await expect(renewal.get()).rejects.toMatchObject({ code: 'failed_precondition' })
    expect(renewal.health()).toEqual({ status: 'down' })
  })

  test('runs outside of the context of whoever asked first', async () => {
    const seen: unknown[] = []
    const renewal = createRenewal({
      subject: 'the number',
      issue: async () => {
        seen.push(currentContext())
        return { value: 1, expiresAt: undefined }
      },
    })
    await runInContext(new Context(rootContext, { timeout: 1 }), () => renewal.get())
    expect(seen).toEqual([rootContext])
    renewal.stop()
  })
})

test('an identity needs an auth that issues', () => {
  const { issue: _, ...auth } = memoryAuth()
  expect(() => memoryIdentity({ auth, subject: orders })).toThrow('auth: "memory" issues no tokens')
  expect(() => memoryIdentity({ auth: memoryAuth(), subject: { ...orders, id: '' } })).toThrow(
    'id:',
  )
})
