import { runInNewContext } from 'node:vm'
import { checkPlainData, isPollutingKey } from '@micro/core/codec'
import { MicroError } from '@micro/core/errors'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const rules = { format: 'Test', maxDepth: 5 }
const refusal = (value: unknown, more: object = {}): string => {
  try {
    checkPlainData(value, { ...rules, ...more })
  } catch (error) {
    if (!MicroError.is(error, 'invalid_argument')) throw error
    return error.detail
  }
  return 'none'
}
const keyed = (key: string, value: unknown): object => Object.fromEntries([[key, value]])

test('whatever JSON can say passes, unless a key pollutes or it is deep', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      fc.pre(!/__proto__|prototype/.test(JSON.stringify(value)))
      checkPlainData(value, rules)
    }),
  )
})

test.each<[string, unknown]>([
  ['no prototype', Object.create(null)],
  ['another realm', runInNewContext('({ a: [1, { b: 2 }] })')],
  ['undefined as a property', { a: undefined }],
  ['keys that only look dangerous', { constructor: 'Ferrari', prototype: {}, toString: 1 }],
])('%s passes', (_what, value) => {
  expect(refusal(value)).toBe('none')
})

test.each<[string, unknown, string]>([
  ['undefined', undefined, 'Test cannot hold the message: undefined'],
  ['undefined in an array', { a: [0, undefined] }, 'Test cannot hold a[1]: undefined'],
  ['a hole', new Array(1), 'Test cannot hold [0]: undefined'],
  ['a function', { run() {} }, 'hold run: a function'],
  ['a symbol', [Symbol('s')], 'hold [0]: a symbol'],
  ['a bigint', 1n, 'hold the message: a bigint'],
  ['a Date', { at: new Date() }, 'hold at: an instance of Date; give plain data'],
  ['bytes', [new Uint8Array(1)], 'an instance of Uint8Array'],
  ['a class', new (class Greeting {})(), 'an instance of Greeting'],
  ['a class that hides its name', Object.create({ constructor: 1 }), 'an instance of class'],
  ['half a pair', ['\ud800'], 'hold [0]: a text with half of a surrogate pair'],
  ['half a pair as a key', keyed('\ud800', 1), 'hold \ufffd: a text with half'],
  ['__proto__', { a: keyed('__proto__', {}) }, 'hold a.__proto__: this key is not allowed'],
  ['constructor.prototype', { constructor: { prototype: 1 } }, 'hold constructor: this key'],
  ['six levels', [[[[[[]]]]]], 'hold [0][0][0][0][0]: it is nested deeper than 5 levels'],
])('%s is refused, with its place', (_what, value, why) => {
  expect(refusal(value)).toContain(why)
})

test('a cycle is refused, however wide', () => {
  const cycle: unknown[] = []
  cycle.push(cycle, cycle, { cycle })
  expect(refusal(cycle)).toContain('or in a cycle')
})

test('a codec may hold more, or less', () => {
  const holds = (value: unknown) =>
    value instanceof Date ||
    (typeof value === 'bigint' && (value < 10n || 'a bigint of two digits'))
  expect(refusal([new Date(), 1n], { holds })).toBe('none')
  expect(refusal([10n], { holds })).toContain('[0]: a bigint of two digits')
  expect(refusal([new Map()], { holds })).toContain('an instance of Map')
  const refuseText = (text: string) => (text === 'no' ? 'a no' : undefined)
  expect(refusal(['yes', 'no'], { refuseText })).toContain('[1]: a no')
  expect(refusal({ no: 1 }, { refuseText })).toContain('no: a no')
})

test('a reason stays short, however long the keys and deep the place', () => {
  let value: unknown = 1n
  for (let at = 0; at < 150; at++) value = keyed('🙂'.repeat(500), value)
  const why = refusal(value, { maxDepth: 200 })
  expect(why.length).toBeLessThan(400)
  expect(why.isWellFormed()).toBe(true)
})

test('a key pollutes by itself or by what it holds', () => {
  expect(isPollutingKey('__proto__', 1)).toBe(true)
  expect(isPollutingKey('constructor', { prototype: {} })).toBe(true)
  expect(isPollutingKey('constructor', 'Ferrari')).toBe(false)
  expect(isPollutingKey('prototype', {})).toBe(false)
})
