import type { Meter } from '@micro/core/meter'
import { plainLifecycleTrait } from '../kit/plain-lifecycle.ts'
import { runSuite } from '../kit/run-suite.ts'
import type { Trait } from '../kit/trait.ts'
import { instruments } from './instruments.ts'
import { labels } from './labels.ts'
import type { MeterSuiteOptions } from './options.ts'

export type { MeterSuiteOptions } from './options.ts'

/** What every `Meter` does, by trait. */
export function meterTraits({ read }: Pick<MeterSuiteOptions, 'read'>): readonly Trait<Meter>[] {
  return [
    instruments(read),
    labels(read),
    plainLifecycleTrait((meter) => meter.counter('used').add(1)),
  ]
}

/** Proves that a meter keeps the contract `meter/0`. Call it at the top of a test file. */
export function meterConformance(options: MeterSuiteOptions): void {
  runSuite('meter', meterTraits(options), options)
}
