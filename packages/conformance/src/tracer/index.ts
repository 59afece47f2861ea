import type { Tracer } from '@micro/core/tracer'
import { plainLifecycleTrait } from '../kit/plain-lifecycle.ts'
import { runSuite } from '../kit/run-suite.ts'
import type { Trait } from '../kit/trait.ts'
import type { TracerSuiteOptions } from './options.ts'
import { recording } from './recording.ts'
import { travelling } from './travelling.ts'

export type { RecordedSpan, TracerSuiteOptions } from './options.ts'

/** What every `Tracer` does, by trait. */
export function tracerTraits({ read }: Pick<TracerSuiteOptions, 'read'>): readonly Trait<Tracer>[] {
  return [
    travelling(read !== undefined),
    ...(read === undefined ? [] : [recording(read)]),
    plainLifecycleTrait((tracer) => tracer.start('used').end()),
  ]
}

/** Proves that a tracer keeps the contract `tracer/0`. Call it at the top of a test file. */
export function tracerConformance(options: TracerSuiteOptions): void {
  runSuite('tracer', tracerTraits(options), options)
}
