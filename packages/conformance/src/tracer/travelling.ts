import { Metadata } from '@micro/core/metadata'
import {
  extractTrace,
  injectTrace,
  parseTraceparent,
  type TraceContext,
  type Tracer,
} from '@micro/core/tracer'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'

/** What goes with a call to other services. */
export function travelling(records: boolean): Trait<Tracer> {
  const parent: TraceContext = {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    sampled: true,
    state: 'vendor=opaque,other=x',
  }
  return {
    name: 'travelling',
    cases: [
      {
        name: 'each span has ids as the W3C wants them, and each root its own',
        run: async (harness) => {
          const tracer = await harness.open()
          const traces = new Set<string>()
          const spans = new Set<string>()
          for (let at = 0; at < 2_000; at++) {
            const { context, end } = tracer.start('work')
            expect(context.traceId).toMatch(/^(?!0{32})[0-9a-f]{32}$/)
            expect(context.spanId).toMatch(/^(?!0{16})[0-9a-f]{16}$/)
            expect(context.sampled).toBeTypeOf('boolean')
            traces.add(context.traceId)
            spans.add(context.spanId)
            end()
          }
          expect([traces.size, spans.size]).toEqual([2_000, 2_000])
        },
      },
      {
        name: 'a child is of its parent: trace, decision to sample, state of vendors',
        run: async (harness) => {
          const tracer = await harness.open()
          for (const sampled of [true, false]) {
            const { context } = tracer.start('work', { parent: { ...parent, sampled } })
            expect(context).toMatchObject({
              traceId: parent.traceId,
              sampled,
              state: parent.state,
            })
            if (records) expect(context.spanId).not.toBe(parent.spanId)
            const grandchild = tracer.start('more', { parent: context })
            expect(grandchild.context).toMatchObject({ traceId: parent.traceId, sampled })
          }
        },
      },
      {
        name: 'arrives at the other side as it was sent',
        run: async (harness) => {
          const tracer = await harness.open()
          for (const options of [{}, { parent }]) {
            const { context } = tracer.start('work', options)
            const metadata = new Metadata()
            injectTrace(context, metadata)
            expect(parseTraceparent(metadata.get('traceparent') ?? '')).toBeDefined()
            expect(extractTrace(metadata)).toEqual({ ...context })
          }
        },
      },
    ],
  }
}
