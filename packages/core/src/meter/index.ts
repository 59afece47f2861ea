export { type Measurement, type MemoryMeter, memoryMeter } from './memory-meter.ts'
export type {
  Attributes,
  Counter,
  Histogram,
  HistogramOptions,
  InstrumentOptions,
  Meter,
  UpDownCounter,
} from './meter.ts'
