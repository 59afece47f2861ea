import type { Component } from '../component/component.ts'

/** Low-cardinality labels of a measurement, by OpenTelemetry's semantic names. */
export type Attributes = Readonly<Record<string, string | number | boolean>>

export interface InstrumentOptions {
  readonly description?: string
  /** UCUM unit: `s`, `By`, `{call}`. */
  readonly unit?: string
}

export interface HistogramOptions extends InstrumentOptions {
  /** Upper bounds of the buckets, ascending, in the histogram's unit. */
  readonly boundaries?: readonly number[]
}

/** Only grows. */
export interface Counter {
  add(value: number, attributes?: Attributes): void
}

/** Grows and shrinks: calls in flight, connections. */
export interface UpDownCounter {
  add(value: number, attributes?: Attributes): void
}

export interface Histogram {
  record(value: number, attributes?: Attributes): void
}

/**
 * Metrics. The same name gives the same instrument; another kind under that name is refused as
 * `already_exists`. What is no finite number is ignored, as is a negative one by a counter. Label sets
 * are bounded: what exceeds that is counted together.
 */
export interface Meter extends Component {
  readonly contract: 'meter/0'
  counter(name: string, options?: InstrumentOptions): Counter
  upDownCounter(name: string, options?: InstrumentOptions): UpDownCounter
  histogram(name: string, options?: HistogramOptions): Histogram
  /** A value read when metrics are collected; one that throws gives none. Returns the removal. */
  gauge(
    name: string,
    read: () => Iterable<{ readonly value: number; readonly attributes?: Attributes }>,
    options?: InstrumentOptions,
  ): () => void
}
