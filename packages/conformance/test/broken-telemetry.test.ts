import { loggerTraits } from '@micro/conformance/logger'
import { meterTraits } from '@micro/conformance/meter'
import { tracerTraits } from '@micro/conformance/tracer'
import { consoleLogger, type Logger, memoryLogger } from '@micro/core/logger'
import { type MemoryMeter, type Meter, memoryMeter } from '@micro/core/meter'
import { type MemoryTracer, memoryTracer, type Span, type Tracer } from '@micro/core/tracer'
import { describe, expect, test } from 'vitest'
import { failuresOf } from './support/failures-of.ts'
import { memoryLoggers } from './support/loggers.ts'

/** Reads what the unbroken one below holds. */
const below = new WeakMap<object, object>()

function breaking<C extends object>(make: () => C, breakIt: (component: C) => Partial<C>): () => C {
  return () => {
    const whole = make()
    const broken = Object.create(whole, Object.getOwnPropertyDescriptors(breakIt(whole))) as C
    below.set(broken, whole)
    return broken
  }
}

/** Members that throw from `close` on, as those of a careless component do. */
function closing<P extends object>(
  make: (guard: <T>(work: () => T) => T) => P,
): P & { close: () => Promise<void> } {
  let closed = false
  const guard = <T>(work: () => T): T => {
    if (closed) throw new Error('closed')
    return work()
  }
  const close = async (): Promise<void> => {
    closed = true
  }
  return { ...make(guard), close }
}

const loggers: readonly (readonly [string, string, (logger: Logger) => Partial<Logger>])[] = [
  [
    'levels',
    'writes all',
    (logger) => ({ log: (_level, ...rest) => logger.log('fatal', ...rest) }),
  ],
  ['levels', 'has a level of its own', () => ({ level: 'info' as const })],
  [
    'fields',
    'leaves fields away',
    (logger) => ({ log: (level, message) => logger.log(level, message) }),
  ],
  ['fields', 'has children that forget', (logger) => ({ child: () => logger })],
  [
    'fields',
    'cannot write what JSON cannot',
    (logger) => ({
      log(level, message, fields) {
        JSON.stringify(fields)
        logger.log(level, message, fields)
      },
    }),
  ],
  [
    'fields',
    'takes a message apart',
    (logger) => ({
      log(level, message, fields) {
        for (const line of message.split('\n')) logger.log(level, line, fields)
      },
    }),
  ],
  ['lifecycle', 'has no name', () => ({ name: '' })],
  [
    'lifecycle',
    'throws once closed',
    (logger) => closing((guard) => ({ log: (...line) => guard(() => logger.log(...line)) })),
  ],
]

describe('a logger that', () => {
  test.each(loggers)('%s: %s, is caught', async (name, _what, breakIt) => {
    const read = (logger: Logger) => memoryLoggers.read((below.get(logger) ?? logger) as Logger)
    const trait = loggerTraits({ read }).find((one) => one.name === name)
    const create = breaking(() => memoryLogger(), breakIt)
    expect(await failuresOf(trait, { name: 'broken', create })).not.toEqual([])
  })

  test('lets a field take the place of its level, is caught', async () => {
    const lines = new WeakMap<Logger, string[]>()
    const [, fields] = loggerTraits({
      read: (logger) =>
        (lines.get(logger) ?? []).map((line) => {
          const { fields: inner = {}, ...outer } = JSON.parse(line)
          return { level: 'error', message: '', fields: {}, ...outer, ...inner }
        }),
    })
    const create = (): Logger => {
      const written: string[] = []
      const logger = consoleLogger({ write: (line) => written.push(line) })
      lines.set(logger, written)
      return {
        ...logger,
        log: (level, message, given) =>
          logger.log(level, message, { fields: { message, ...given } }),
      }
    }
    expect(await failuresOf(fields, { name: 'broken', create })).toContain(
      'cannot take the place of level, message or prototype',
    )
  })
})

const meters: readonly (readonly [string, string, (meter: Meter) => Partial<Meter>])[] = [
  ['instruments', 'has counters that shrink', (meter) => ({ counter: meter.upDownCounter })],
  [
    'instruments',
    'knows one set of buckets',
    (meter) => ({ histogram: (name) => meter.histogram(name, { boundaries: [5] }) }),
  ],
  [
    'instruments',
    'reads a gauge once',
    (meter) => ({
      gauge(name, read) {
        const first = [...read()]
        return meter.gauge(name, () => first)
      },
    }),
  ],
  [
    'instruments',
    'mixes kinds up',
    (meter) => ({ histogram: (name, options) => meter.histogram(`${name}.h`, options) }),
  ],
  [
    'instruments',
    'has up-down counters that only grow',
    (meter) => ({ upDownCounter: meter.counter }),
  ],
  [
    'labels',
    'takes those for one that look alike',
    (meter) => ({
      histogram(name, options) {
        const histogram = meter.histogram(name, options)
        return {
          record(value, labels = {}) {
            const all = Object.entries(labels).map((pair) => pair.join('='))
            histogram.record(value, { all: all.join() })
          },
        }
      },
    }),
  ],
  [
    'labels',
    'counts all together',
    (meter) => ({
      counter(name) {
        const counter = meter.counter(name)
        return { add: (value) => counter.add(value) }
      },
    }),
  ],
  [
    'labels',
    'minds their order',
    (meter) => ({
      counter(name) {
        const counter = meter.counter(name)
        return {
          add: (value, labels = {}) =>
            counter.add(value, { ...labels, order: Object.keys(labels).join() }),
        }
      },
    }),
  ],
  ['lifecycle', 'is never up', () => ({ health: () => ({ status: 'degraded' as const }) })],
  [
    'lifecycle',
    'throws once closed',
    (meter) =>
      closing((guard) => ({ counter: (...given) => guard(() => meter.counter(...given)) })),
  ],
]

describe('a meter that', () => {
  test.each(meters)('%s: %s, is caught', async (name, _what, breakIt) => {
    const read = (meter: Meter) => ((below.get(meter) ?? meter) as MemoryMeter).collect()
    const trait = meterTraits({ read }).find((one) => one.name === name)
    const create = breaking<Meter>(() => memoryMeter(), breakIt)
    expect(await failuresOf(trait, { name: 'broken', create })).not.toEqual([])
  })
})

/** Replaces members of each span. */
function spans(change: (span: Span) => Partial<Span>) {
  return (tracer: Tracer): Partial<Tracer> => ({
    start(name, options) {
      const span = tracer.start(name, options)
      return { ...span, ...change(span) }
    },
  })
}

const tracers: readonly (readonly [string, string, (tracer: Tracer) => Partial<Tracer>])[] = [
  [
    'travelling',
    'begins a new trace each time',
    (tracer) => ({ start: (name, { parent: _, ...rest } = {}) => tracer.start(name, rest) }),
  ],
  [
    'travelling',
    'samples all',
    spans(({ context }) => ({ context: { ...context, sampled: true } })),
  ],
  [
    'travelling',
    'writes its ids large',
    spans(({ context }) => ({ context: { ...context, traceId: context.traceId.toUpperCase() } })),
  ],
  ['recording', 'forgets attributes', spans(() => ({ set: () => undefined }))],
  ['recording', 'forgets errors', spans((span) => ({ end: () => span.end() }))],
  [
    'recording',
    'knows one kind',
    (tracer) => ({ start: (name, options) => tracer.start(name, { ...options, kind: 'client' }) }),
  ],
  ['recording', 'forgets events', spans(() => ({ event: () => undefined }))],
  [
    'recording',
    'records what has only begun',
    (tracer) => ({
      start(name, options) {
        const span = tracer.start(name, options)
        span.end()
        return span
      },
    }),
  ],
  ['lifecycle', 'has no name', () => ({ name: '' })],
  [
    'lifecycle',
    'throws once closed',
    (tracer) => closing((guard) => ({ start: (...given) => guard(() => tracer.start(...given)) })),
  ],
]

describe('a tracer that', () => {
  test.each(tracers)('%s: %s, is caught', async (name, _what, breakIt) => {
    const read = (tracer: Tracer) => ((below.get(tracer) ?? tracer) as MemoryTracer).spans
    const trait = tracerTraits({ read }).find((one) => one.name === name)
    const create = breaking<Tracer>(() => memoryTracer(), breakIt)
    expect(await failuresOf(trait, { name: 'broken', create })).not.toEqual([])
  })
})
