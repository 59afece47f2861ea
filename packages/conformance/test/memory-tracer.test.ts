import { tracerConformance } from '@micro/conformance/tracer'
import { type MemoryTracer, memoryTracer, noopTracer } from '@micro/core/tracer'

tracerConformance({
  name: 'memory',
  create: () => memoryTracer(),
  read: (tracer) => (tracer as MemoryTracer).spans,
})
tracerConformance({ name: 'noop', create: () => noopTracer() })
