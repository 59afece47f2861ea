import type { Meter } from '@micro/core/meter'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'
import { type ReadMeasurements, valuesOf } from './options.ts'

export function labels(read: ReadMeasurements): Trait<Meter> {
  return {
    name: 'labels',
    cases: [
      {
        name: 'are counted apart by their values, whatever the order of their names',
        run: async (harness) => {
          const meter = await harness.open()
          const counter = meter.counter('calls')
          counter.add(1)
          counter.add(2, { a: 'x', b: 1 })
          counter.add(4, { b: 1, a: 'x' })
          counter.add(8, { a: 'x', b: 2 })
          counter.add(16, { a: 'x' })
          counter.add(32, { a: 'y', b: true })
          expect(await valuesOf(read, meter, 'calls')).toEqual({
            '': 1,
            'a=x b=1': 6,
            'a=x b=2': 8,
            'a=x': 16,
            'a=y b=true': 32,
          })
        },
      },
      {
        name: 'that look alike are apart',
        run: async (harness) => {
          const meter = await harness.open()
          const histogram = meter.histogram('size')
          for (const a of ['x,b=y', 'x"', 'x\\', 'x\n', 'ü', '']) histogram.record(1, { a })
          histogram.record(1, { a: 'x', b: 'y' })
          expect(Object.keys(await valuesOf(read, meter, 'size'))).toHaveLength(7)
        },
      },
      {
        name: 'are those of the moment, though their giver changes them later',
        run: async (harness) => {
          const meter = await harness.open()
          const attributes: Record<string, string> = { a: 'x' }
          meter.counter('calls').add(1, attributes)
          attributes['a'] = 'y'
          expect(await valuesOf(read, meter, 'calls')).toEqual({ 'a=x': 1 })
          meter.counter('calls').add(1, { a: 'x' })
          expect(await valuesOf(read, meter, 'calls')).toEqual({ 'a=x': 2 })
        },
      },
      {
        name: 'of a number without end do not fill memory, and nothing is lost of the sum',
        run: async (harness) => {
          const meter = await harness.open()
          const counter = meter.counter('calls')
          for (let user = 0; user < 20_000; user++) counter.add(1, { user })
          const values = Object.values(await valuesOf(read, meter, 'calls'))
          expect(values.length).toBeLessThanOrEqual(10_000)
          expect(values.reduce((sum, value) => sum + value, 0)).toBe(20_000)
          counter.add(1, { user: 0 })
          expect((await valuesOf(read, meter, 'calls'))['user=0']).toBe(2)
        },
      },
    ],
  }
}
