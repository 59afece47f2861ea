import { Metadata } from '@micro/core/metadata'
import { extractTrace, formatTraceparent, injectTrace, type TraceContext } from '@micro/core/tracer'
import { expect, test } from 'vitest'

const trace: TraceContext = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true }

test.each([true, false])('a trace arrives as it was sent, sampled %s', (sampled) => {
  for (const state of [undefined, 'vendor=opaque,other=x']) {
    const sent = { ...trace, sampled, ...(state === undefined ? {} : { state }) }
    const metadata = new Metadata()
    injectTrace(sent, metadata)
    expect(extractTrace(metadata)).toEqual(sent)
  }
})

test('a trace takes the place of any that was there, with the state of its vendors', () => {
  const metadata = new Metadata()
  injectTrace({ ...trace, state: 'vendor=of-another' }, metadata)
  const next = { ...trace, traceId: 'c'.repeat(32) }
  injectTrace(next, metadata)
  expect(extractTrace(metadata)).toEqual(next)
  expect(metadata.has('tracestate')).toBe(false)
})

test('all else, baggage too, stays as it was', () => {
  const metadata = new Metadata({ baggage: 'user=7,plan=gold', 'x-tenant': 'acme' })
  injectTrace(trace, metadata)
  expect(metadata.getAll('baggage')).toEqual(['user=7,plan=gold'])
  expect(metadata.get('x-tenant')).toBe('acme')
})

test('states in several headers are one list; without a good traceparent they are none', () => {
  const metadata = new Metadata({ traceparent: formatTraceparent(trace) })
  metadata.append('tracestate', 'a=1').append('tracestate', 'b=2')
  expect(extractTrace(metadata)?.state).toBe('a=1,b=2')
  expect(extractTrace(metadata.set('traceparent', 'nonsense'))).toBeUndefined()
  expect(extractTrace(new Metadata({ tracestate: 'a=1' }))).toBeUndefined()
})
