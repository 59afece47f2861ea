import { currentContext, MicroError } from '@micro/core'
import { describe, expect, test } from 'vitest'
import { heapUsed } from './support/heap.ts'
import { awake, copies, Echo, networkWith, quietService } from './support/services.ts'

describe.each(copies)('streams in process, by %s', (copy) => {
  /** An echo whose handlers report how they ended. */
  const observed = async () => {
    const ended: string[] = []
    const waiters: (() => void)[] = []
    const end = (what: string): void => {
      ended.push(what)
      for (const wake of waiters.splice(0)) wake()
    }
    const service = quietService(networkWith(copy)).handle(Echo, {
      say: (input) => input,
      once: (input) => input,
      async *count({ to }) {
        try {
          for (let n = 1; n <= to; n++) {
            if (n === 13) throw new MicroError('out_of_range', 'thirteen')
            yield n
          }
          end('returned')
        } finally {
          end('finally')
        }
      },
      async sum(values) {
        try {
          let sum = 0
          for await (const value of values) {
            if (value < 0) throw new MicroError('invalid_argument', 'negative')
            sum += value
            if (sum > 1_000) return sum
          }
          return sum
        } finally {
          end('finally')
        }
      },
      async *chat(words) {
        try {
          for await (const word of words) {
            if (word === 'hang')
              await new Promise((_resolve, reject) => currentContext().onCancel(reject))
            yield word
          }
        } finally {
          end('finally')
        }
      },
    })
    await service.start()
    const untilEnded = async (count: number): Promise<string[]> => {
      while (ended.length < count) await new Promise<void>((wake) => waiters.push(wake))
      return ended
    }
    return { echo: service.client(Echo), ended, untilEnded, service }
  }

  test('leaving a server stream early ends its handler', async () => {
    const { echo, untilEnded } = await observed()
    for await (const n of echo.count({ to: 1_000_000 })) if (n === 3) break
    expect(await untilEnded(1)).toEqual(['finally'])
  })

  test('an error in the middle arrives after what was sent before it', async () => {
    const { echo } = await observed()
    const seen: number[] = []
    const reading = (async () => {
      for await (const n of echo.count({ to: 20 })) seen.push(n)
    })()
    await expect(reading).rejects.toMatchObject({ code: 'out_of_range', detail: 'thirteen' })
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
  })

  test('a deadline ends a stream whose handler hangs', async () => {
    const { echo, untilEnded } = await observed()
    const reading = awake(async () => {
      for await (const word of echo.chat(['a', 'hang'], { timeout: 40 })) expect(word).toBe('a')
    })
    await expect(reading).rejects.toMatchObject({ code: 'deadline_exceeded' })
    expect(await untilEnded(1)).toContain('finally')
  })

  test("the caller's signal ends a stream with its reason", async () => {
    const { echo, untilEnded } = await observed()
    const controller = new AbortController()
    const reason = { mine: true }
    const reading = (async () => {
      for await (const _word of echo.chat(['a', 'hang'], { signal: controller.signal }))
        controller.abort(reason)
    })()
    expect(await reading.catch((error: unknown) => error)).toBe(reason)
    await untilEnded(1)
  })

  test('a client stream may be answered before it has ended, and its source is released', async () => {
    const { echo } = await observed()
    let released = false
    async function* endless(): AsyncGenerator<number> {
      try {
        for (;;) yield 400
      } finally {
        released = true
      }
    }
    expect(await echo.sum(endless())).toBe(1_200)
    expect(released).toBe(true)
  })

  test('a source that throws fails the call with its error, and cancels the handler', async () => {
    const { echo, untilEnded } = await observed()
    async function* broken(): AsyncGenerator<number> {
      yield 1
      throw new Error('disk gone')
    }
    await expect(echo.sum(broken())).rejects.toThrow('disk gone')
    await untilEnded(1)
  })

  test('a handler error reaches the caller of a client stream', async () => {
    const { echo } = await observed()
    await expect(echo.sum([1, -1])).rejects.toMatchObject({
      code: 'invalid_argument',
      detail: 'negative',
    })
  })

  test('silence of the server beyond the idle timeout ends a stream', async () => {
    const { echo } = await observed()
    const reading = awake(async () => {
      for await (const _word of echo.chat(['a', 'hang'], { idleTimeout: 30 }));
    })
    await expect(reading).rejects.toMatchObject({
      code: 'deadline_exceeded',
      detail: expect.stringContaining('idleTimeout'),
    })
  })

  test('a slow reader holds the writer back', async () => {
    let written = 0
    const service = quietService(networkWith(copy)).handle(Echo, {
      say: (input) => input,
      once: (input) => input,
      async *count({ to }) {
        for (let n = 1; n <= to; n++) {
          written = n
          yield n
        }
      },
      sum: () => 0,
      async *chat() {},
    })
    await service.start()
    const stream = service.client(Echo).count({ to: 100_000 })
    await stream.next()
    // Everything that can run without another read has run after a turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve))
    expect(written).toBeLessThan(64)
    await stream.return?.()
  })

  const ways = ['read to the end', 'left early', 'failed by the handler', 'cancelled'] as const
  const kinds = ['count', 'sum', 'chat'] as const
  const cases = kinds.flatMap((kind) => ways.map((way) => ({ kind, way })))
  test.each(cases)('1,000 streams ($kind) $way leave no call behind', async ({ kind, way }) => {
    const { echo, service, ended } = await observed()
    let sources = 0
    /** Messages of the caller; whatever becomes of the stream, its `finally` has to run. */
    async function* source<T>(good: T, bad: T, controller: AbortController): AsyncGenerator<T> {
      sources += 1
      try {
        for (let n = 0; n < 5; n++) {
          if (n === 3 && way === 'cancelled') controller.abort(new Error('enough'))
          yield n === 3 && way === 'failed by the handler' ? bad : good
        }
      } finally {
        sources -= 1
      }
    }
    const rounds: Record<(typeof kinds)[number], (controller: AbortController) => Promise<void>> = {
      count: async (controller) => {
        const to = way === 'failed by the handler' ? 20 : 5
        for await (const n of echo.count({ to }, { signal: controller.signal })) {
          if (n === 2 && way === 'left early') return
          if (n === 2 && way === 'cancelled') controller.abort(new Error('enough'))
        }
      },
      // Leaving a client stream early is the handler's to do: it answers before the end.
      sum: async (controller) => {
        await echo.sum(source(way === 'left early' ? 600 : 1, -1, controller), {
          signal: controller.signal,
        })
      },
      chat: async (controller) => {
        for await (const _word of echo.chat(source('a', 'fail', controller), {
          signal: controller.signal,
        })) {
          if (way === 'left early') return
        }
      },
    }
    const run = async (count: number): Promise<void> => {
      for (let round = 0; round < count; round++) {
        try {
          await rounds[kind](new AbortController())
        } catch (error) {
          if (way === 'read to the end' || way === 'left early') throw error
        }
      }
      // What was left early ends a few turns later.
      await expect.poll(() => sources).toBe(0)
    }
    // Code compiled and caches filled on the way are no growth.
    await run(500)
    // The compilers may still take some; a leak grows in every window.
    const limit = 192 * 1_024
    let growth = Number.POSITIVE_INFINITY
    for (let window = 0; window < 4 && growth > limit; window++) {
      const before = heapUsed()
      await run(1_000)
      growth = heapUsed() - before
    }
    expect(growth, 'bytes after 1,000 rounds').toBeLessThan(limit)
    await expect
      .poll(() => ended.filter((what) => what === 'finally').length)
      .toBeGreaterThanOrEqual(way === 'cancelled' ? 1 : 1_000)
    const started = performance.now()
    await service.stop()
    // A call left behind would hold the stop until the drain deadline of 10 s.
    expect(performance.now() - started).toBeLessThan(5_000)
    expect(service.state).toBe('stopped')
  })
})
