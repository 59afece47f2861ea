import { staticComponent } from '../component/static-component.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { Attributes, Meter } from './meter.ts'

type InstrumentKind = 'counter' | 'up_down_counter' | 'histogram' | 'gauge'

export interface Measurement {
  readonly name: string
  readonly kind: InstrumentKind
  readonly attributes: Attributes
  /** The sum of a counter, the sum of a histogram's records, the reading of a gauge. */
  readonly value: number
  /** Records of a histogram. */
  readonly count?: number
  /** Records per bucket of a histogram; the last one holds what exceeds every boundary. */
  readonly buckets?: readonly number[]
}

export interface MemoryMeter extends Meter {
  /** All measurements as of now. */
  collect(): Measurement[]
}

interface Series {
  readonly attributes: Attributes
  value: number
  count: number
  buckets: number[]
}

interface Instrument {
  readonly kind: InstrumentKind
  readonly boundaries: readonly number[]
  readonly series: Map<string, Series>
  readonly readers: Set<() => Readings>
}

/** Seconds; the boundaries that OpenTelemetry advises for the duration of calls. */
const defaultBoundaries = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
]
/** Label sets per instrument; more are counted together, so that a bad label cannot fill memory. */
const seriesLimit = 2_000

/** Keeps measurements in memory, for tests and for reading them out oneself. */
export function memoryMeter(): MemoryMeter {
  const instruments = new Map<string, Instrument>()

  const open = (
    name: string,
    kind: InstrumentKind,
    boundaries: readonly number[] = [],
  ): Instrument => {
    const known = instruments.get(name)
    if (known === undefined) {
      const made = { kind, boundaries, series: new Map(), readers: new Set() } satisfies Instrument
      instruments.set(name, made)
      return made
    }
    if (known.kind === kind) return known
    throw new MicroError(
      'already_exists',
      `metric "${name}" is a ${known.kind}, not a ${kind}: use another name`,
    )
  }
  const adder = (instrument: Instrument) => ({
    add(value: number, attributes?: Attributes): void {
      if (Number.isFinite(value)) seriesOf(instrument, attributes).value += value
    },
  })

  return {
    ...staticComponent('memory', 'meter/0'),
    counter(name) {
      const counter = adder(open(name, 'counter'))
      return {
        add: (value, attributes) => (value > 0 ? counter.add(value, attributes) : undefined),
      }
    },
    upDownCounter: (name) => adder(open(name, 'up_down_counter')),
    histogram(name, options) {
      const instrument = open(name, 'histogram', options?.boundaries ?? defaultBoundaries)
      return {
        record(value, attributes) {
          if (!Number.isFinite(value)) return
          const series = seriesOf(instrument, attributes)
          series.value += value
          series.count += 1
          const over = instrument.boundaries.findIndex((boundary) => value <= boundary)
          const bucket = over < 0 ? instrument.boundaries.length : over
          series.buckets[bucket] = (series.buckets[bucket] ?? 0) + 1
        },
      }
    },
    gauge(name, read) {
      const { readers } = open(name, 'gauge')
      readers.add(read)
      return () => readers.delete(read)
    },
    collect() {
      const all: Measurement[] = []
      for (const [name, { kind, series, readers }] of instruments) {
        for (const { attributes, value, count, buckets } of series.values()) {
          const histogram = kind === 'histogram' ? { count, buckets: [...buckets] } : {}
          all.push({ name, kind, attributes, value, ...histogram })
        }
        for (const read of readers) {
          for (const { value, attributes = {} } of readSafely(read)) {
            if (Number.isFinite(value))
              all.push({ name, kind, attributes: { ...attributes }, value })
          }
        }
      }
      return all
    },
  }
}

type Readings = Iterable<{ readonly value: number; readonly attributes?: Attributes }>

/** A reader that throws costs its own values, not those of others. */
function readSafely(read: () => Readings): Readings {
  try {
    return [...read()]
  } catch {
    return []
  }
}

function seriesOf(instrument: Instrument, attributes: Attributes = {}): Series {
  let labels = attributes
  let key = JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))
  if (!instrument.series.has(key) && instrument.series.size >= seriesLimit) {
    labels = { 'otel.metric.overflow': true }
    key = 'overflow'
  }
  let series = instrument.series.get(key)
  if (series === undefined) {
    const buckets: number[] = new Array(instrument.boundaries.length + 1).fill(0)
    // Copied, since the caller may use its object for the next one.
    series = { attributes: { ...labels }, value: 0, count: 0, buckets }
    instrument.series.set(key, series)
  }
  return series
}
