import type { Meter } from '@micro/core/meter'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'
import { type ReadMeasurements, valuesOf } from './options.ts'

const nonsense = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]

export function instruments(read: ReadMeasurements): Trait<Meter> {
  return {
    name: 'instruments',
    cases: [
      {
        name: 'a counter only grows',
        run: async (harness) => {
          const meter = await harness.open()
          const counter = meter.counter('calls', { unit: '{call}', description: 'Calls' })
          for (const value of [1, 2.5, -1, 0, ...nonsense]) counter.add(value)
          expect(await valuesOf(read, meter, 'calls')).toEqual({ '': 3.5 })
        },
      },
      {
        name: 'an up-down counter grows and shrinks',
        run: async (harness) => {
          const meter = await harness.open()
          const counter = meter.upDownCounter('running')
          for (const value of [3, -1, 0.5, ...nonsense]) counter.add(value)
          expect(await valuesOf(read, meter, 'running')).toEqual({ '': 2.5 })
        },
      },
      {
        name: 'a histogram counts, sums and sorts into buckets, upper bounds included',
        run: async (harness) => {
          const meter = await harness.open()
          const histogram = meter.histogram('size', { boundaries: [1, 10] })
          for (const value of [0.5, 1, 1.5, 10, 11, 1_000, ...nonsense]) histogram.record(value)
          const [one, ...more] = await read(meter)
          expect(more).toEqual([])
          expect(one).toMatchObject({ name: 'size', kind: 'histogram', count: 6, value: 1_024 })
          expect(one?.buckets).toEqual([2, 2, 2])
        },
      },
      {
        name: 'a histogram has buckets unasked, for seconds',
        run: async (harness) => {
          const meter = await harness.open()
          const histogram = meter.histogram('duration', { unit: 's' })
          histogram.record(0.001)
          histogram.record(100)
          const [one] = await read(meter)
          expect(one?.buckets?.at(0)).toBe(1)
          expect(one?.buckets?.at(-1)).toBe(1)
          expect(one?.buckets?.length).toBeGreaterThan(5)
        },
      },
      {
        name: 'a gauge is read each time, until it is removed',
        run: async (harness) => {
          const meter = await harness.open()
          let level = 1
          const remove = meter.gauge('level', () => [
            { value: level },
            { value: 10 * level, attributes: { part: 'b' } },
          ])
          expect(await valuesOf(read, meter, 'level')).toEqual({ '': 1, 'part=b': 10 })
          level = 2
          expect(await valuesOf(read, meter, 'level')).toEqual({ '': 2, 'part=b': 20 })
          remove()
          remove()
          expect(await valuesOf(read, meter, 'level')).toEqual({})
        },
      },
      {
        name: 'a gauge that throws, or reads nonsense, costs its own values only',
        run: async (harness) => {
          const meter = await harness.open()
          meter.gauge('broken', () => {
            throw new Error('it cannot be read')
          })
          meter.gauge('odd', () => nonsense.map((value) => ({ value })))
          meter.gauge('good', () => [{ value: 1 }])
          meter.counter('calls').add(1)
          expect(await valuesOf(read, meter, 'broken')).toEqual({})
          expect(await valuesOf(read, meter, 'odd')).toEqual({})
          expect(await valuesOf(read, meter, 'good')).toEqual({ '': 1 })
          expect(await valuesOf(read, meter, 'calls')).toEqual({ '': 1 })
        },
      },
      {
        name: 'one name is one instrument, and of one kind',
        run: async (harness) => {
          const meter = await harness.open()
          meter.counter('calls').add(1)
          meter.counter('calls').add(2)
          expect(await valuesOf(read, meter, 'calls')).toEqual({ '': 3 })
          const taken = expect.objectContaining({ code: 'already_exists' })
          expect(() => meter.upDownCounter('calls')).toThrow(taken)
          expect(() => meter.histogram('calls')).toThrow(taken)
          expect(() => meter.gauge('calls', () => [])).toThrow(taken)
          meter.counter('other').add(5)
          expect(await valuesOf(read, meter, 'calls')).toEqual({ '': 3 })
        },
      },
    ],
  }
}
