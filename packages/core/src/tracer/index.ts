export { type FinishedSpan, type MemoryTracer, memoryTracer } from './memory-tracer.ts'
export { noopTracer } from './noop-tracer.ts'
export { extractTrace, formatTraceparent, injectTrace, parseTraceparent } from './propagation.ts'
export type { Span, SpanKind, SpanOptions, TraceContext, Tracer } from './tracer.ts'
