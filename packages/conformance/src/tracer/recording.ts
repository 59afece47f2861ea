import type { Tracer } from '@micro/core/tracer'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'
import type { ReadSpans } from './options.ts'

export function recording(read: ReadSpans): Trait<Tracer> {
  return {
    name: 'recording',
    cases: [
      {
        name: 'a span has its name, kind, parent and attributes, the later ones over the earlier',
        run: async (harness) => {
          const tracer = await harness.open()
          const outer = tracer.start('outer', { kind: 'server', attributes: { a: 1, b: 'x' } })
          const inner = tracer.start('inner', { parent: outer.context })
          outer.set('b', 'y')
          outer.set('c', true)
          inner.end()
          outer.end()
          const [first, second, ...more] = await read(tracer)
          expect(more).toEqual([])
          expect(first).toMatchObject({
            name: 'inner',
            kind: 'internal',
            context: inner.context,
            parent: { traceId: outer.context.traceId, spanId: outer.context.spanId },
          })
          expect(second).toMatchObject({ name: 'outer', kind: 'server', parent: undefined })
          expect(second?.attributes).toMatchObject({ a: 1, b: 'y', c: true })
        },
      },
      {
        name: 'is there once it has ended, not before',
        run: async (harness) => {
          const tracer = await harness.open()
          const span = tracer.start('work')
          expect(await read(tracer)).toHaveLength(0)
          span.end()
          expect(await read(tracer)).toHaveLength(1)
        },
      },
      {
        name: 'ends once, the first time; what comes later is ignored',
        run: async (harness) => {
          const tracer = await harness.open()
          const span = tracer.start('work', { attributes: { a: 1 } })
          span.event('in time')
          span.end()
          span.set('a', 2)
          span.event('too late')
          span.end(new Error('too late'))
          const spans = await read(tracer)
          expect(spans).toHaveLength(1)
          expect(spans[0]).toMatchObject({ attributes: { a: 1 }, error: undefined })
          expect(spans[0]?.events.map(({ name }) => name)).toEqual(['in time'])
        },
      },
      {
        name: 'events come in order, with their attributes',
        run: async (harness) => {
          const tracer = await harness.open()
          const span = tracer.start('work')
          span.event('retry', { attempt: 1 })
          span.event('retry', { attempt: 2 })
          span.event('done')
          span.end()
          const [recorded] = await read(tracer)
          expect(recorded?.events).toMatchObject([
            { name: 'retry', attributes: { attempt: 1 } },
            { name: 'retry', attributes: { attempt: 2 } },
            { name: 'done' },
          ])
        },
      },
      {
        name: 'an error makes it failed, whatever was thrown',
        run: async (harness) => {
          const tracer = await harness.open()
          for (const thrown of [new Error('broken'), 'broken', { code: 7 }, 0, null]) {
            const span = tracer.start('work')
            expect(() => span.end(thrown)).not.toThrow()
          }
          const spans = await read(tracer)
          expect(spans).toHaveLength(5)
          for (const { error } of spans) expect(error).not.toBeUndefined()
        },
      },
      {
        name: 'spans that run at once are kept apart',
        run: async (harness) => {
          const tracer = await harness.open()
          const spans = Array.from({ length: 100 }, (_, at) => tracer.start(`work ${at}`))
          for (const [at, span] of spans.entries()) span.set('at', at)
          for (const span of spans) span.end()
          for (const [at, recorded] of (await read(tracer)).entries()) {
            expect(recorded).toMatchObject({ name: `work ${at}`, attributes: { at } })
          }
        },
      },
      {
        name: 'keeps nothing of attributes that their giver changes later',
        run: async (harness) => {
          const tracer = await harness.open()
          const attributes = { a: 1 }
          const span = tracer.start('work', { attributes })
          span.event('event', attributes)
          attributes.a = 2
          span.end()
          const [recorded] = await read(tracer)
          expect(recorded?.attributes).toMatchObject({ a: 1 })
          expect(recorded?.events[0]?.attributes).toMatchObject({ a: 1 })
        },
      },
    ],
  }
}
