export { memoryMeter, type MemoryMeter, type Measurement } from './memory-meter.ts'
export type {
  Attributes,
  Counter,
  Histogram,
  HistogramOptions,
  InstrumentOptions,
  Meter,
  UpDownCounter,
} from './meter.ts'
