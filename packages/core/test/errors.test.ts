import {
  badRequest,
  codeFromNumber,
  codes,
  codeToNumber,
  MicroError,
  readBadRequest,
} from '@micro/core/errors'
import fc from 'fast-check'
import { expect, test } from 'vitest'

test('codes are numbered as gRPC numbers them', () => {
  expect(codes).toHaveLength(16)
  expect(codeToNumber('cancelled')).toBe(1)
  expect(codeToNumber('unavailable')).toBe(14)
  expect(codeToNumber('unauthenticated')).toBe(16)
  for (const code of codes) expect(codeFromNumber(codeToNumber(code))).toBe(code)
  expect([0, 17, -1].map(codeFromNumber)).toEqual(['unknown', 'unknown', 'unknown'])
})

test('recognised by code, and across copies of the library', () => {
  const error = new MicroError('not_found', 'no such order')
  expect(MicroError.is(error)).toBe(true)
  expect(MicroError.is(error, 'not_found')).toBe(true)
  expect(MicroError.is(error, 'aborted')).toBe(false)
  expect(MicroError.is(new Error('plain'))).toBe(false)
  expect(MicroError.is(undefined)).toBe(false)
  class ForeignCopy extends Error {
    readonly code = 'not_found'
  }
  Object.defineProperty(ForeignCopy.prototype, Symbol.for('micro.error'), { value: true })
  expect(MicroError.is(new ForeignCopy(), 'not_found')).toBe(true)
})

test('the message says code, detail and place; detail stays as given', () => {
  const origin = {
    side: 'client',
    phase: 'connect',
    service: 'cart',
    method: 'add',
    node: 'cart-1',
    attempts: 3,
  } as const
  const error = new MicroError('unavailable', "it's down: refused, twice\nreally", { origin })
  expect(error.detail).toBe("it's down: refused, twice\nreally")
  expect(error.message).toBe(
    "unavailable: it's down: refused, twice\nreally (client connect cart/add on cart-1, attempt 3)",
  )
})

test('with() replaces facts and keeps the original as the cause', () => {
  const error = new MicroError('aborted', 'conflict', {
    metadata: { 'x-key': '1' },
    processed: 'no',
    retryAfter: 5,
  })
  const changed = error.with({ processed: 'yes' })
  expect(changed).toMatchObject({
    code: 'aborted',
    detail: 'conflict',
    processed: 'yes',
    retryAfter: 5,
  })
  expect(changed.metadata.get('x-key')).toBe('1')
  expect(changed.cause).toBe(error)
})

test('bad-request details survive encoding, with any text and any number of fields', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          field: fc.string({ unit: 'grapheme' }),
          description: fc.string({ unit: 'grapheme', maxLength: 300 }),
        }),
      ),
      (fields) => {
        expect(readBadRequest(badRequest(fields))).toEqual(fields)
      },
    ),
  )
})

test('garbage in a detail is read as nothing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (value) => {
      expect(Array.isArray(readBadRequest({ type: 'google.rpc.BadRequest', value }))).toBe(true)
    }),
  )
  expect(readBadRequest({ type: 'google.rpc.RetryInfo', value: new Uint8Array() })).toEqual([])
})
