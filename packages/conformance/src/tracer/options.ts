import type { Awaitable } from '@micro/core/component'
import type { FinishedSpan, Tracer } from '@micro/core/tracer'
import type { SuiteOptions } from '../kit/harness.ts'

export type RecordedSpan = Omit<FinishedSpan, 'duration'>

export interface TracerSuiteOptions extends SuiteOptions<Tracer> {
  /**
   * The spans that have ended, in the order of their ends, of a tracer that `create` made. Without it
   * nothing is recorded, and only what travels is proved.
   */
  readonly read?: (tracer: Tracer) => Awaitable<readonly RecordedSpan[]>
}

export type ReadSpans = NonNullable<TracerSuiteOptions['read']>
