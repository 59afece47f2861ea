import type { Component } from '../component/component.ts'

/** The part of a span that travels. Source: W3C Trace Context, level 1. */
export interface TraceContext {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string
  /** 16 lower-case hex digits, not all zero. */
  readonly spanId: string
  readonly sampled: boolean
  /** Vendors' data, passed on as it came. */
  readonly state?: string | undefined
}

/** OpenTelemetry's span kinds, as far as a service has them. */
export type SpanKind = 'client' | 'server' | 'producer' | 'consumer' | 'internal'

export interface SpanOptions {
  /** @default 'internal' */
  readonly kind?: SpanKind
  readonly parent?: TraceContext | undefined
  /** OpenTelemetry's semantic names: `rpc.system`, `rpc.service`, `rpc.method`. */
  readonly attributes?: Readonly<Record<string, string | number | boolean>>
}

export interface Span {
  readonly context: TraceContext
  set(name: string, value: string | number | boolean): void
  event(name: string, attributes?: Readonly<Record<string, string | number | boolean>>): void
  /** Ends the span, once; with an error it counts as failed. What comes later is ignored. */
  end(error?: unknown): void
}

/** Starts spans. What is recorded and where it goes is the implementation's. */
export interface Tracer extends Component {
  readonly contract: 'tracer/0'
  start(name: string, options?: SpanOptions): Span
}
