import { staticComponent } from '../component/static-component.ts'
import { randomHex } from './ids.ts'
import type { SpanKind, TraceContext, Tracer } from './tracer.ts'

type Values = Readonly<Record<string, string | number | boolean>>

export interface FinishedSpan {
  readonly name: string
  readonly kind: SpanKind
  readonly context: TraceContext
  readonly parent: TraceContext | undefined
  readonly attributes: Values
  readonly events: readonly { readonly name: string; readonly attributes: Values }[]
  readonly error: unknown
  /** Milliseconds. */
  readonly duration: number
}

export interface MemoryTracer extends Tracer {
  /** The newest finished spans, in the order of their ends. */
  readonly spans: readonly FinishedSpan[]
}

/** Keeps the newest `limit` spans (10,000 unless told otherwise), for tests. */
export function memoryTracer(options: { limit?: number } = {}): MemoryTracer {
  const spans: FinishedSpan[] = []
  const limit = options.limit ?? 10_000
  return {
    ...staticComponent('memory', 'tracer/0'),
    spans,
    start(name, spanOptions = {}) {
      const { parent } = spanOptions
      const attributes: Record<string, string | number | boolean> = { ...spanOptions.attributes }
      const events: { name: string; attributes: Values }[] = []
      const started = performance.now()
      let ended = false
      const context: TraceContext = {
        traceId: parent?.traceId ?? randomHex(16),
        spanId: randomHex(8),
        sampled: parent?.sampled ?? true,
        ...(parent?.state === undefined ? {} : { state: parent.state }),
      }
      return {
        context,
        set(key, value) {
          if (!ended) attributes[key] = value
        },
        event(event, values) {
          if (!ended) events.push({ name: event, attributes: { ...values } })
        },
        end(error) {
          if (ended) return
          ended = true
          const kind = spanOptions.kind ?? 'internal'
          const duration = performance.now() - started
          spans.push({ name, kind, context, parent, attributes, events, error, duration })
          if (spans.length > limit) spans.shift()
        },
      }
    },
  }
}
