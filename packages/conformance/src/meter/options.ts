import type { Awaitable } from '@micro/core/component'
import type { Attributes, Measurement, Meter } from '@micro/core/meter'
import { expect } from 'vitest'
import type { SuiteOptions } from '../kit/harness.ts'

export interface MeterSuiteOptions extends SuiteOptions<Meter> {
  /** All measurements of a meter that `create` made, as of now. */
  readonly read: (meter: Meter) => Awaitable<readonly Measurement[]>
}

export type ReadMeasurements = MeterSuiteOptions['read']

/** Values of one metric, by their labels. */
export async function valuesOf(
  read: ReadMeasurements,
  meter: Meter,
  name: string,
): Promise<Record<string, number>> {
  const found = (await read(meter)).filter((one) => one.name === name)
  const values = found.map(({ attributes, value }) => [labelOf(attributes), value] as const)
  expect(new Set(values.map(([label]) => label)).size, 'label sets are apart').toBe(values.length)
  return Object.fromEntries(values)
}

function labelOf(attributes: Attributes): string {
  return Object.entries(attributes)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
}
