import { createService, defineService, memoryNetwork, unary } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { memoryTransport } from '@micro/core/transport'
import { yamlCodec } from '@micro/plugin-codec-yaml'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const type = { name: 'a message' }
const bound = bind(yamlCodec())
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (bytes: Uint8Array): string =>
  new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
const refusal = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    const { code, detail } = error as { code?: string; detail?: string }
    return `${code}: ${detail}`
  }
  return 'none'
}

function bind(codec: ReturnType<typeof yamlCodec>) {
  const it = codec.bind(type, 'application/yaml')
  if (it === undefined) throw new Error('it binds any type without a descriptor')
  return it
}

test('it is written for people', () => {
  const value = {
    name: 'Ada',
    tags: ['first', 'yes', '2001-01-01', '0o17', '12:30'],
    text: 'two\nlines\n',
    none: null,
    list: [],
    big: 2n ** 60n,
    bytes: Uint8Array.of(1, 2, 3),
  }
  expect(text(bound.encode(value))).toBe(`name: Ada
tags:
  - first
  - "yes"
  - "2001-01-01"
  - "0o17"
  - "12:30"
text: |
  two
  lines
none: null
list: []
big: 1152921504606846976
bytes: !!binary "AQID"
`)
})

test.each<[string, unknown]>([
  ['# only a comment', null],
  ['a: 1 # comment\nb:\n- x\n- y: z', { a: 1, b: ['x', { y: 'z' }] }],
  ['{"a": [1, "b", true, null, 1.5e3]}', { a: [1, 'b', true, null, 1_500] }],
  ['%YAML 1.2\n---\nyes: no\n...\n', { yes: 'no' }],
  ['0x1F', 31],
  ['0o17', 15],
  ['010', 10],
  ['+1', 1],
  ['~', null],
  ['.inf', Number.POSITIVE_INFINITY],
  ['-.Inf', Number.NEGATIVE_INFINITY],
  ['.NaN', Number.NaN],
  ['9007199254740993', 2n ** 53n + 1n],
  ['2001-01-01', '2001-01-01'],
  ['1: a\nnull: b\ntrue: c', { 1: 'a', null: 'b', true: 'c' }],
  ['<<: {a: 1}', { '<<': { a: 1 } }],
  ['a: |\n  x\n   y\n', { a: 'x\n y\n' }],
  ['a: >-\n  x\n  y\n', { a: 'x y' }],
  ["'it''s'", "it's"],
  ['"\\u00e4\\n"', 'ä\n'],
  ['a:\r\n- b\r\n', { a: ['b'] }],
  ['!!binary |\n  AQ\n  ID\n', Uint8Array.of(1, 2, 3)],
  ['[a: 1, {b}]', [{ a: 1 }, { b: null }]],
  ['\ufeffa: 1', { a: 1 }],
])('%j, as others write it, is read', (yaml, value) => {
  expect(bound.decode(utf8(yaml))).toStrictEqual(value)
})

const key = fc.string({ unit: 'binary' }).filter((name) => name !== '__proto__')
const looksLike = `null ~ yes 1e3 0x1f .nan << = --- ... # - a: b *a &a !a %a @a \`a | > ? 1_000 12:30:45`
const odd = [
  'a',
  ' ',
  '\n',
  '\t',
  '\r',
  '#',
  ':',
  '-',
  '"',
  "'",
  '\\',
  '\u0085',
  '\u2028',
  '\ufeff',
  '\0',
]
const { any } = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.constantFrom(...looksLike.split(' ')),
    fc.array(fc.constantFrom(...odd), { maxLength: 30 }).map((parts) => parts.join('')),
    fc.double(),
    fc.constantFrom(-0, 1e21, 2 ** 60, -1e300, null, true, false),
    fc.maxSafeInteger(),
    fc.bigInt(2n ** 53n, 2n ** 300n),
    fc.bigInt(-(2n ** 300n), -(2n ** 53n)),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => new Uint8Array(bytes)),
    fc.array(tie('any'), { maxLength: 8 }),
    fc.dictionary(key, tie('any'), { maxKeys: 12, noNullPrototype: true }),
  ),
}))

test('any plain data comes back equal', () => {
  fc.assert(
    fc.property(any, (value) => {
      expect(bound.decode(bound.encode(value))).toStrictEqual(value)
    }),
    { numRuns: 1_000 },
  )
})

test('whatever text is read, what was read of it comes back equal', () => {
  const pieces = ['a', 'b', ' ', '  ', '\n', '\n  ', '- ', ': ', '? ', '{', '}', '[', ']', ', ']
  const more = ['"', "'", '#', '|', '>', '1', '-0', '.5', '~', '\\', '---', '!!binary ', 'AQID']
  const piece = fc.constantFrom(...pieces, ...more)
  const bodies = fc.array(piece, { maxLength: 25 }).map((parts) => parts.join(''))
  let read = 0
  fc.assert(
    fc.property(bodies, (body) => {
      let value: unknown
      const why = refusal(() => {
        value = bound.decode(utf8(body))
      })
      if (why.startsWith('invalid_argument: ')) return
      expect(why).toBe('none')
      read++
      expect(bound.decode(bound.encode(value))).toStrictEqual(value)
    }),
    { numRuns: 3_000 },
  )
  expect(read).toBeGreaterThan(100)
})

const laughs = `a: &a [x, x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]
d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]`

test.each([
  ['a billion laughs', laughs, 'anchors and aliases are not read: &a, at line 1'],
  ['an alias alone', 'a: *b', 'anchors and aliases are not read'],
  ['a cycle', '&a [*a]', 'anchors and aliases'],
  ['a merge', 'a: &a {x: 1}\nb:\n  <<: *a', 'anchors and aliases'],
  ['a function', '!!js/function "() => 1"', 'the tag !!js/function is not read'],
  ['a command', 'a:\n  !!python/object/apply:os.system [ls]', 'os.system is not read, at line 2'],
  ['a tag in full', '!<tag:yaml.org,2002:binary> AQID', 'the tag'],
  ['a set', '!!set {a, b}', 'the tag !!set'],
  ['a time', '!!timestamp 2001-01-01', 'the tag !!timestamp'],
  ['the tag of a text', '!!str 1', 'the tag !!str'],
  ['a tag of an app', '!secret x', 'the tag !secret'],
  ['tags by another name', '%TAG !! tag:example.com,2000:\n--- !!binary x', 'the directive %TAG'],
  ['another version', '%YAML 1.1\n--- yes', 'the directive %YAML 1.1'],
  ['two documents', '--- a\n--- b', 'more than one document'],
  ['a repeated key', 'a: 1\nb: 2\na: 3', 'the key "a" twice in a map, at line 3'],
  ['a repeated key, written otherwise', '{1: a, "1": b}', 'the key "1" twice'],
  ['the prototype', 'x:\n  __proto__: {a: 1}', 'the key "__proto__" is not allowed, at line 2'],
  ['the prototype, with escapes', '{"\\x5f_proto__": 1}', 'the key "__proto__" is not allowed'],
  ['the prototype of the constructor', 'constructor: {prototype: 1}', 'the key "constructor" is'],
  ['a key that is a list', '? [a]\n: 1', 'keys must be'],
  ['half of a surrogate pair', '"\\ud800"', 'half of a surrogate pair'],
  ['bytes that are no base64', '!!binary "%%%%"', 'not base64'],
  ['bytes that are cut off', '!!binary AQI', 'not base64'],
  ['bytes that are a list', '!!binary [1]', 'malformed'],
  ['a number too large', '1e999', 'a number that is too large'],
  ['a number of very many digits', '9'.repeat(1_100), 'more than 1000 digits'],
  ['a control character', 'a\u0002b', 'a control character, at line 1'],
  ['a list that does not end', '[1, 2', 'at line 1'],
  ['a text that does not end', 'a: "x', 'at line 1'],
  ['an indentation that is none', 'a:\n    b: 1\n  c: 2', 'at line 3'],
])('%s is refused', (_what, yaml, why) => {
  const reason = refusal(() => bound.decode(utf8(yaml)))
  expect(reason).toContain('invalid_argument: malformed YAML: ')
  expect(reason).toContain(why)
})

test('bytes that are no text are refused', () => {
  expect(refusal(() => bound.decode(Uint8Array.of(0x61, 0xff)))).toContain('malformed YAML: ')
})

test.each([
  ['a Map within', { user: { tags: ['a', new Map()] } }, 'hold user.tags[1]: an instance of Map'],
  ['a class', new (class Greeting {})(), 'hold the message: an instance of Greeting'],
  ['undefined in an array', { list: [1, undefined] }, 'hold list[1]: undefined'],
  ['a function', { run: () => 1 }, 'hold run: a function'],
  ['a bigint too large', [10n ** 1_000n], 'hold [0]: a bigint of more than 1000 digits'],
  ['a Date', { at: new Date(0) }, 'hold at: an instance of Date'],
  ['half of a surrogate pair', { a: ['\ud800'] }, 'hold a[0]: a text with half'],
  ['the prototype', JSON.parse('{"a":{"__proto__":1}}'), 'hold a.__proto__: this key'],
  ['its constructor', { constructor: { prototype: 1 } }, 'hold constructor: this key'],
])('%s is not written', (_what, value, why) => {
  expect(refusal(() => bound.encode(value))).toContain('invalid_argument: YAML cannot hold')
  expect(refusal(() => bound.encode(value))).toContain(why)
})

test('a cycle is not written', () => {
  const cycle: unknown[] = []
  cycle.push({ cycle })
  expect(refusal(() => bound.encode(cycle))).toContain('deeper than 200 levels, the limit maxDepth')
})

test.each([1, 200, 300])('%i levels are written and read, and none more', (maxDepth) => {
  const limited = bind(yamlCodec({ maxDepth }))
  let value: unknown = 'x'
  for (let at = 0; at < maxDepth; at++) value = at % 2 === 0 ? [value] : { a: value }
  expect(limited.decode(limited.encode(value))).toStrictEqual(value)
  const limit = `deeper than ${maxDepth} levels, the limit maxDepth`
  expect(refusal(() => limited.encode([value]))).toContain(limit)
  for (const [open, close] of [
    ['[', ']'],
    ['- ', ''],
  ] as const) {
    const body = utf8(open.repeat(maxDepth + 1) + close.repeat(maxDepth + 1))
    expect(
      refusal(() => limited.decode(body)),
      open,
    ).toContain(limit)
  }
})

test.each(['[', '- ', '{a: ', '[{a: '])(
  'very many levels of %j name the limit, and no stack',
  (open) => {
    const why = refusal(() => bound.decode(utf8(open.repeat(100_000))))
    expect(why).toContain('nested deeper than 200 levels, the limit maxDepth')
  },
)

test.each(['? ', '{? ', '? - '])('keys within keys, %j, are refused', (open) => {
  for (const depth of [2, 200, 1_000, 100_000]) {
    const close = open.startsWith('{') ? '}'.repeat(depth) : ''
    const why = refusal(() => bound.decode(utf8(`${open.repeat(depth)}x${close}`)))
    expect(why).toContain('invalid_argument: malformed YAML: ')
  }
})

test.each([
  ['a map of many keys', (n: number) => 'k: 1\n'.repeat(n).replaceAll('k', () => `k${n++}`)],
  ['a list in brackets', (n: number) => `[${'[],'.repeat(n)}]`],
  ['brackets that do not end', (n: number) => '[1,{'.repeat(20) + 'a,'.repeat(n)],
  ['errors on every line', (n: number) => 'a: b: c\n'.repeat(n)],
  ['one long text', (n: number) => `"${'ab \n '.repeat(n)}"`],
  ['a long plain text', (n: number) => `a: ${'ab\n '.repeat(n)}`],
  ['a long block', (n: number) => `a: |\n${'  ab\n'.repeat(n)}`],
  ['comments', (n: number) => '# x\n'.repeat(n)],
  ['empty lines', (n: number) => `a:${'\n'.repeat(n)}  b`],
  ['documents', (n: number) => '--- a\n'.repeat(n)],
  ['quotes', (n: number) => "'a' ".repeat(n)],
  ['digits', (n: number) => '9'.repeat(10 * n)],
])('%s takes time in proportion to its length', (_what, make) => {
  const time = (n: number) => {
    const body = utf8(make(n))
    const before = process.cpuUsage()
    refusal(() => bound.decode(body))
    return process.cpuUsage(before).user / 1_000
  }
  time(2_000)
  const [small, large] = [time(4_000), time(40_000)]
  // Of the processor, whatever else it does. Ten times the length takes a hundred if it is the square.
  expect(large).toBeLessThan(Math.max(40 * small, 1_500))
})

test('bytes are read as plain ones of their own, and views written as what they show', () => {
  const value = { bytes: Buffer.from('xabcx').subarray(1, 4), none: new Uint8Array(8).subarray(8) }
  const { bytes, none } = bound.decode(bound.encode(value)) as Record<string, Uint8Array>
  expect(bytes).toStrictEqual(Uint8Array.of(0x61, 0x62, 0x63))
  expect(bytes?.buffer.byteLength).toBe(3)
  expect(none).toStrictEqual(new Uint8Array())
})

test('an object that is there twice is written twice', () => {
  const shared = { a: [1] }
  const body = bound.encode([shared, shared, shared])
  expect(text(body)).not.toMatch(/[*&]/)
  expect(bound.decode(body)).toStrictEqual([shared, shared, shared])
})

test('properties that are undefined are left out, small bigints are whole numbers', () => {
  const value = { a: undefined, b: 5n, c: 2 ** 60 }
  expect(bound.decode(bound.encode(value))).toStrictEqual({ b: 5, c: 2 ** 60 })
})

test('keys that mean something to objects are plain keys', () => {
  const value = { constructor: 'Ferrari', toJSON: 'x', hasOwnProperty: 1, prototype: { a: 1 } }
  expect(bound.decode(bound.encode(value))).toStrictEqual(value)
  const bare = Object.assign(Object.create(null), { a: 1 })
  expect(bound.decode(bound.encode(bare))).toStrictEqual({ a: 1 })
})

test('options are checked by name', () => {
  expect(() => yamlCodec({ maxDepth: 0 })).toThrow('option maxDepth: 0')
  expect(() => yamlCodec({ maxDepth: 301 })).toThrow('option maxDepth')
  expect(() => yamlCodec({ depth: 1 } as never)).toThrow('option depth: unknown')
})

test('a service answers in it', async () => {
  const Files = defineService('files', {
    size: unary<{ name: string; bytes: Uint8Array }, { name: string; size: bigint }>(),
    ping: unary<void, null>(),
  })
  const network = memoryNetwork()
  await using service = createService({
    network,
    name: 'files',
    codecs: [yamlCodec()],
    transports: [memoryTransport({ network, copy: 'codec' })],
    logger: memoryLogger(),
    shutdown: { signals: false },
  })
  service.handle(Files, {
    size: ({ name, bytes }) => ({ name, size: BigInt(bytes.length) + 2n ** 60n }),
    ping: (input) => (input === undefined ? null : Promise.reject(new Error('it had an input'))),
  })
  await service.start()
  const files = service.client(Files)
  expect(await files.size({ name: 'a', bytes: new Uint8Array(3) })).toEqual({
    name: 'a',
    size: 2n ** 60n + 3n,
  })
  expect(await files.ping()).toBeNull()
})
