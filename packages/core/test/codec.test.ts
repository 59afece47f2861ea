import { bytesCodec, createCodecSet, jsonCodec, textCodec } from '@micro/core/codec'
import { MicroError } from '@micro/core/errors'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const type = { name: 'a message' }
const json = jsonCodec().bind(type, 'application/json')
const text = textCodec().bind(type, 'text/plain')
const bytes = bytesCodec().bind(type, 'application/octet-stream')
if (json === undefined || text === undefined || bytes === undefined)
  throw new Error('core codecs bind any type')
const utf8 = (value: string): Uint8Array => new TextEncoder().encode(value)
const code = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    return MicroError.is(error) ? error.message : `not a MicroError: ${error}`
  }
  return 'no error'
}

test('JSON values survive', () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      const expected: unknown = JSON.parse(JSON.stringify(value))
      fc.pre(!JSON.stringify(value).includes('__proto__'))
      expect(json.decode(json.encode(value))).toEqual(expected)
    }),
  )
})

test('undefined is the empty body, both ways', () => {
  expect(json.encode(undefined)).toHaveLength(0)
  expect(json.decode(new Uint8Array())).toBeUndefined()
})

test.each([
  ['{"a":', 'malformed JSON'],
  ['{"__proto__":{"x":1}}', '"__proto__" is not allowed'],
  ['{"\\u005f_proto__":{"x":1}}', '"__proto__" is not allowed'],
  ['[{"a":{"constructor":{"prototype":{"x":1}}}}]', '"constructor" is not allowed'],
  [`${'['.repeat(300)}${']'.repeat(300)}`, 'deeper than 200'],
  [`${'{"a":'.repeat(300)}1${'}'.repeat(300)}`, 'deeper than 200'],
])('refuses %.40s', (body, why) => {
  const message = code(() => json.decode(utf8(body)))
  expect(message).toContain('invalid_argument')
  expect(message).toContain(why)
})

test('nesting up to the limit and brackets in strings are fine', () => {
  const deep = `${'['.repeat(200)}${']'.repeat(200)}`
  expect(json.decode(utf8(deep))).toBeDefined()
  const brackets = JSON.stringify({ text: `${'['.repeat(500)}\\"` })
  expect(json.decode(utf8(brackets))).toEqual(JSON.parse(brackets))
  expect(json.decode(utf8('{"constructor":"a plain string"}'))).toEqual({
    constructor: 'a plain string',
  })
})

test('of any shape, just what is nested deeper than the limit is refused', () => {
  const texts = fc.constantFrom('', '"', '\\', '\\"', '[[[[[[', '}}}}]', 'é"[{', '"'.repeat(20))
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 9 },
      texts,
      fc.integer(),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(texts, tie('value'), { maxKeys: 4 }),
    ),
  }))
  const depthOf = (one: unknown): number =>
    typeof one === 'object' && one !== null
      ? 1 + Math.max(0, ...Object.values(one).map(depthOf))
      : 0
  fc.assert(
    fc.property(value, fc.integer({ min: 1, max: 10 }), (one, maxDepth) => {
      const limited = jsonCodec({ maxDepth }).bind(type, 'application/json')
      const outcome = code(() => limited?.decode(utf8(JSON.stringify(one))))
      if (depthOf(one) > maxDepth) expect(outcome).toContain(`deeper than ${maxDepth} levels`)
      else expect(outcome).toBe('no error')
    }),
    { numRuns: 500 },
  )
})

test('invalid UTF-8 is refused, whatever bytes come', () => {
  expect(code(() => json.decode(Uint8Array.of(0x22, 0xff, 0x22)))).toContain('not valid UTF-8')
  expect(code(() => text.decode(Uint8Array.of(0xc3)))).toContain('not valid UTF-8')
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 50 }), (garbage) => {
      const outcome = code(() => json.decode(garbage))
      expect(outcome === 'no error' || outcome.startsWith('invalid_argument')).toBe(true)
    }),
  )
})

test('values that JSON cannot hold are refused, saying why', () => {
  const cycle: Record<string, unknown> = {}
  cycle['self'] = cycle
  expect(code(() => json.encode(cycle))).toContain('invalid_argument: JSON cannot hold')
  expect(code(() => json.encode(1n))).toContain('BigInt')
  expect(code(() => json.encode(() => 1))).toContain('function')
})

test('text and bytes carry their own type only, and bytes are copied', () => {
  expect(text.decode(text.encode('grüße'))).toBe('grüße')
  expect(code(() => text.encode({ a: 1 }))).toContain('string, not a object')
  expect(code(() => bytes.encode('text'))).toContain('Uint8Array')
  const buffer = Uint8Array.of(1, 2, 3)
  const decoded = bytes.decode(buffer)
  buffer[0] = 9
  expect(decoded).toEqual(Uint8Array.of(1, 2, 3))
  const read = Buffer.from('abc')
  const kept = bytes.decode(read)
  read[0] = 0
  expect(kept).toStrictEqual(utf8('abc'))
})

test('the first codec that can bind wins, by content-type and type', () => {
  const special = {
    ...jsonCodec(),
    bind: (one: { descriptor?: unknown }) => (one.descriptor === 'p' ? json : undefined),
  }
  const set = createCodecSet([special, jsonCodec(), textCodec()])
  expect(set.contentTypesFor([type])).toEqual(['application/json', 'text/plain'])
  expect(set.bind({ name: 'p', descriptor: 'p' }, 'application/json')).toBe(json)
  expect(set.bind({ name: 'q', descriptor: 'q' }, 'application/json')).toBeUndefined()
  expect(set.bind(type, 'application/xml')).toBeUndefined()
})

test('a codec of another generation is refused by name', () => {
  const old = { ...jsonCodec(), contract: 'codec/9' } as unknown as ReturnType<typeof jsonCodec>
  expect(code(() => createCodecSet([old]))).toMatch(/codec "json".*codec\/9.*codec\/0/)
})
