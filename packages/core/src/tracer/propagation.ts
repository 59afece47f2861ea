import type { Metadata } from '../metadata/metadata.ts'
import type { TraceContext } from './tracer.ts'

const format = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const zeros = /^0+$/

/** Reads a `traceparent` header; `undefined` if it is malformed, as the W3C asks. */
export function parseTraceparent(text: string): TraceContext | undefined {
  const [, version, traceId, spanId, flags, rest] = format.exec(text) ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined
  if (zeros.test(traceId) || zeros.test(spanId)) return undefined
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

export function formatTraceparent(trace: TraceContext): string {
  return `00-${trace.traceId}-${trace.spanId}-${trace.sampled ? '01' : '00'}`
}

/** The trace that `metadata` carries. */
export function extractTrace(metadata: Metadata): TraceContext | undefined {
  const [parent, ...more] = metadata.getAll('traceparent')
  // Of several it cannot be told which is meant.
  if (parent === undefined || more.length > 0) return undefined
  const trace = parseTraceparent(parent)
  const state = metadata.getAll('tracestate').join(',')
  return trace === undefined || state === '' ? trace : { ...trace, state }
}

/** Writes `trace` into `metadata`, in place of any that was there. */
export function injectTrace(trace: TraceContext, metadata: Metadata): void {
  metadata.set('traceparent', formatTraceparent(trace))
  // The state of another trace would be told of this one.
  if (trace.state === undefined) metadata.delete('tracestate')
  else metadata.set('tracestate', trace.state)
}
