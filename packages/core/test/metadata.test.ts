import { MicroError } from '@micro/core/errors'
import { Metadata } from '@micro/core/metadata'
import fc from 'fast-check'
import { expect, test } from 'vitest'

test('keys are caseless, values keep their order', () => {
  const metadata = new Metadata({ 'X-Tenant': 'a', 'x-list': ['1', '2'] })
  metadata.append('X-LIST', '3')
  expect(metadata.get('x-tenant')).toBe('a')
  expect(metadata.getAll('X-List')).toEqual(['1', '2', '3'])
  expect([...metadata]).toEqual([
    ['x-tenant', 'a'],
    ['x-list', '1'],
    ['x-list', '2'],
    ['x-list', '3'],
  ])
  expect(metadata.delete('X-Tenant')).toBe(true)
  expect(metadata.has('x-tenant')).toBe(false)
})

test('a copy shares nothing with its source', () => {
  const source = new Metadata({ key: 'one' })
  const copy = Metadata.from(source)
  copy.append('key', 'two')
  expect(source.getAll('key')).toEqual(['one'])
})

test.each([
  ['', 'value'],
  ['with space', 'value'],
  ['ключ', 'value'],
  ['colon:', 'value'],
  ['key', 'line\nbreak'],
  ['key', 'naïve'],
  ['key', '\u0000'],
])('refuses %j: %j, naming the key', (key, value) => {
  expect(() => new Metadata().set(key, value)).toThrow(MicroError)
  try {
    new Metadata().set(key, value)
  } catch (error) {
    expect(MicroError.is(error, 'invalid_argument')).toBe(true)
    expect((error as MicroError).detail).toContain(key)
  }
})

test('any bytes survive in a -bin key, and its text is valid for a header', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const metadata = new Metadata().setBinary('trace-bin', bytes)
      expect(metadata.getBinary('trace-bin')).toEqual(bytes)
      expect(metadata.get('trace-bin')).toMatch(/^[\x20-\x7e]*$/)
    }),
  )
  expect(() => new Metadata().setBinary('trace', new Uint8Array())).toThrow('-bin')
  expect(new Metadata({ 'bad-bin': '***' }).getBinary('bad-bin')).toBeUndefined()
})

test('polluting names stay plain data', () => {
  const metadata = new Metadata({ __proto__: 'x', constructor: 'y' } as Record<string, string>)
  expect(Object.getPrototypeOf(metadata.toJSON())).toBeNull()
  expect(({} as Record<string, unknown>)['y']).toBeUndefined()
})
