import { MicroError } from '@micro/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createEnvelopeParser, writeEnvelope } from '../src/envelope.ts'

/** Cuts `bytes` at the given places. */
const cut = (bytes: Buffer, places: readonly number[]): Buffer[] => {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort(
    (a, b) => a - b,
  )
  return [0, ...sorted].map((start, at) => bytes.subarray(start, sorted[at] ?? bytes.length))
}

test('messages come out as they went in, however the bytes are cut', () => {
  const messages = fc.array(
    fc.record({ flags: fc.integer({ min: 0, max: 255 }), data: fc.uint8Array({ maxLength: 50 }) }),
  )
  fc.assert(
    fc.property(messages, fc.array(fc.nat()), (sent, places) => {
      const bytes = Buffer.concat(sent.map(({ flags, data }) => writeEnvelope(flags, data)))
      const parser = createEnvelopeParser(1_000, 'stream')
      const received = cut(bytes, places).flatMap((chunk) => parser.push(chunk))
      parser.end()
      expect(received.map(({ flags, data }) => ({ flags, data: new Uint8Array(data) }))).toEqual(
        sent.map(({ flags, data }) => ({ flags, data: new Uint8Array(data) })),
      )
    }),
  )
})

test('garbage is refused with a clear error or taken as messages, and never held beyond the limit', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (chunks) => {
      const parser = createEnvelopeParser(100, 'stream')
      try {
        for (const chunk of chunks) {
          for (const { data } of parser.push(Buffer.from(chunk)))
            expect(data.length).toBeLessThanOrEqual(100)
        }
        parser.end()
      } catch (error) {
        expect(
          MicroError.is(error, 'resource_exhausted') || MicroError.is(error, 'invalid_argument'),
        ).toBe(true)
      }
    }),
  )
})

test('a stream cut anywhere but between messages is told', () => {
  const bytes = Buffer.concat([
    writeEnvelope(0, Buffer.from('abc')),
    writeEnvelope(2, Buffer.from('{}')),
  ])
  for (let length = 0; length <= bytes.length; length++) {
    const parser = createEnvelopeParser(100, 'stream')
    parser.push(bytes.subarray(0, length))
    if (length === 0 || length === 8 || length === bytes.length) parser.end()
    else expect(() => parser.end()).toThrow('in the middle')
  }
})
