import { createService, defineService, memoryNetwork, unary } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { memoryTransport } from '@micro/core/transport'
import { cborCodec } from '@micro/plugin-codec-cbor'
import { addExtension } from 'cbor-x'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const type = { name: 'a message' }
const bound = bind(cborCodec())
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const unhex = (text: string): Uint8Array =>
  new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'))
const refusal = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    const { code, detail } = error as { code?: string; detail?: string }
    return `${code}: ${detail}`
  }
  return 'none'
}

function bind(codec: ReturnType<typeof cborCodec>) {
  const it = codec.bind(type, 'application/cbor')
  if (it === undefined) throw new Error('it binds any type without a descriptor')
  return it
}

// From the examples of RFC 8949, appendix A, where they are plain data.
test.each<[unknown, string]>([
  [0, '00'],
  [23, '17'],
  [24, '1818'],
  [1_000, '1903e8'],
  [1_000_000, '1a000f4240'],
  [2n ** 64n - 1n, '1bffffffffffffffff'],
  [2n ** 64n, 'c249010000000000000000'],
  [-(2n ** 64n) - 1n, 'c349010000000000000000'],
  [-1, '20'],
  [-1_000, '3903e7'],
  [1.1, 'fb3ff199999999999a'],
  [1.0e300, 'fb7e37e43c8800759c'],
  [-4.1, 'fbc010666666666666'],
  [false, 'f4'],
  [true, 'f5'],
  [null, 'f6'],
  [[undefined], '81f7'],
  [new Date('2013-03-21T20:04:00Z'), 'c11a514b67b0'],
  [new Date('2013-03-21T20:04:00.500Z'), 'c1fb41d452d9ec200000'],
  [Uint8Array.of(1, 2, 3, 4), '4401020304'],
  ['', '60'],
  ['IETF', '6449455446'],
  ['"\\', '62225c'],
  ['\u6c34', '63e6b0b4'],
  ['\ud800\udd51', '64f0908591'],
  [[1, [2, 3], [4, 5]], '8301820203820405'],
  [
    Array.from({ length: 25 }, (_, at) => at + 1),
    `9819${Buffer.from(Array.from({ length: 23 }, (_, at) => at + 1)).toString('hex')}18181819`,
  ],
  [{ a: 1, b: [2, 3] }, 'a26161016162820203'],
])('a value is written as the RFC has it, %#', (value, bytes) => {
  expect(hex(bound.encode(value))).toBe(bytes)
  expect(bound.decode(unhex(bytes))).toStrictEqual(value)
})

test.each<[string, unknown]>([
  ['f93e00', 1.5],
  ['f97c00', Number.POSITIVE_INFINITY],
  ['fa47c35000', 100_000],
  ['1b000000e8d4a51000', 1_000_000_000_000],
  ['1b001fffffffffffff', Number.MAX_SAFE_INTEGER],
  ['3b001ffffffffffffe', Number.MIN_SAFE_INTEGER],
  ['1b0020000000000000', 2n ** 53n],
  ['3b001fffffffffffff', -(2n ** 53n)],
  ['821b00000000000000051bffffffffffffffff', [5, 2n ** 64n - 1n]],
  ['1a00000005', 5],
  ['c074323031332d30332d32315432303a30343a30305a', new Date('2013-03-21T20:04:00Z')],
  ['c11b00000000514b67b0', new Date('2013-03-21T20:04:00Z')],
  ['c120', new Date(-1_000)],
  ['c1fa3fc00000', new Date(1_500)],
  ['3bffffffffffffffff', -(2n ** 64n)],
  ['c240', 0n],
  ['d84043010203', Uint8Array.of(1, 2, 3)],
  ['d9d9f7820102', [1, 2]],
  ['9fff', []],
  ['9f018202039f0405ffff', [1, [2, 3], [4, 5]]],
  ['bf61610161629f0203ffff', { a: 1, b: [2, 3] }],
  ['9b0000000000000001f5', [true]],
  ['bb000000000000000161610 1'.replaceAll(' ', ''), { a: 1 }],
])('a value as others write it is read, %#', (bytes, value) => {
  expect(bound.decode(unhex(bytes))).toStrictEqual(value)
})

const key = fc.string({ unit: 'binary' }).filter((text) => text !== '__proto__')
const { any } = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.string({ unit: 'binary', maxLength: 200 }).filter((text) => !text.startsWith('\ufeff')),
    fc.double().map((value) => (Object.is(value, -0) ? 0 : value)),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.constantFrom(null, true, false),
    fc.constant(undefined),
    fc.bigInt(2n ** 53n, 2n ** 100n),
    fc.bigInt(-(2n ** 100n), -(2n ** 53n)),
    fc.date({ noInvalidDate: true, min: new Date('0001-01-01'), max: new Date('9999-12-31') }),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => new Uint8Array(bytes)),
    fc.array(tie('any'), { maxLength: 20 }),
    fc.dictionary(key, tie('any'), { maxKeys: 40, noNullPrototype: true }),
  ),
}))

test('any plain data comes back equal', () => {
  fc.assert(
    fc.property(any, (value) => {
      expect(bound.decode(bound.encode(value))).toStrictEqual(value)
    }),
    { numRuns: 500 },
  )
})

test('whatever bytes are read, what was read of them comes back equal', () => {
  const bodies = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.tuple(any, fc.nat(), fc.integer({ min: 1, max: 255 })).map(([value, place, change]) => {
      const bytes = bound.encode(value)
      const at = place % bytes.length
      bytes[at] = (bytes[at] as number) ^ change
      return bytes
    }),
  )
  let read = 0
  fc.assert(
    fc.property(bodies, (body) => {
      let value: unknown
      if (refusal(() => (value = bound.decode(body))) !== 'none') return
      read++
      expect(asWritten(bound.decode(bound.encode(value)))).toStrictEqual(asWritten(value))
    }),
    { numRuns: 3_000 },
  )
  expect(read).toBeGreaterThan(100)
})

/** CBOR has a minus zero, and small integers of the kind of large ones; both are written as plain ones. */
function asWritten(value: unknown): unknown {
  if (Object.is(value, -0)) return 0
  if (typeof value === 'bigint' && BigInt.asIntN(53, value) === value) return Number(value)
  if (Array.isArray(value)) return value.map(asWritten)
  if (Object.getPrototypeOf(value ?? 1) !== Object.prototype) return value
  return Object.fromEntries(
    Object.entries(value as object).map(([name, inner]) => [name, asWritten(inner)]),
  )
}

test.each([
  ['a length that is not there', '5affffffff', 'cut off: 4294967295 bytes more'],
  ['a length of 64 bits', '7bffffffffffffffff', 'cut off'],
  ['arrays of lengths that are not there', '9a7fffffff 9a7fffffff', 'cut off: 2147483642 bytes'],
  ['an array with fewer items', '83 0102', 'cut off'],
  ['a text with fewer bytes', '63 6162', 'cut off: 1 bytes more'],
  ['an array that does not end', '9f01', 'cut off'],
  ['a map that ends between key and value', 'bf6161ff', 'an end of nothing'],
  ['an end of nothing', 'ff', 'an end of nothing'],
  ['bytes after the end', 'f6 f6f6', '2 bytes after the end'],
  ['a text in parts', '7f6161ff', 'a text or bytes in parts'],
  ['bytes in parts', '5f4101ff', 'a text or bytes in parts'],
  ['a length that is reserved', '1c', 'an item 0x1c'],
  ['a number without end', '1f', 'an item 0x1f'],
  ['a simple value', 'f0', 'a simple value'],
  ['a long simple value', 'f8ff', 'a simple value'],
  ['a key that is no text', 'a101f6', 'a key that is no text'],
  ['a repeated key', 'a26161016161 02', 'the key "a" twice'],
  ['a repeated key, written in another way', 'a261610178016102', 'the key "a" twice'],
  ['a repeated key in a map without length', 'bf61610161 6102ff', 'the key "a" twice'],
  ['the prototype', 'a1695f5f70726f746f5f5fa0', 'the key "__proto__" is not allowed'],
  [
    'the prototype of the constructor',
    'a16b636f6e7374727563746f72a16970726f746f74797065a0',
    'the key "prototype" is not allowed',
  ],
  ['a text that is not UTF-8', '62c328', 'not UTF-8'],
  ['half of a surrogate pair', '63eda080', 'not UTF-8'],
  ['a regular expression', 'd82382', 'the tag 35, which is not read'],
  ['a set', 'd9010280', 'the tag 258'],
  ['a Map', 'd90103a0', 'the tag 259'],
  ['a class', 'd81b8265 4572726f7261 61', 'the tag 27'],
  ['a shared value', 'd81c80', 'the tag 28'],
  ['a reference', 'd81d00', 'the tag 29'],
  ['a packed table', 'd83384808080 80', 'the tag 51'],
  ['a record', 'd9dfff8319e000816161 01', 'the tag 57343'],
  ['typed numbers', 'd84d4400000000', 'the tag 77'],
  ['a mark within', '81d9d9f701', 'the tag 55799'],
  ['a date that is none', 'c063616263', 'a date that is no Date'],
  [
    'a date in another style',
    'c06a4d61726368203230313 3'.replaceAll(' ', ''),
    'a date that is no Date',
  ],
  ['a date without number', 'c1f6', 'a date that is no Date'],
  ['a date that never comes', 'c1fb7e37e43c8800759c', 'a date that is no Date'],
  ['a date of 64 bits', 'c11bffffffffffffffff', 'a date that is no Date'],
  ['a date of bytes', 'c14101', 'a date that is no Date'],
  ['a big integer of text', 'c26161', 'a big integer that is not of bytes'],
  ['a bigger integer', 'c2590201', 'a big integer of more than 512 bytes'],
  [
    'a mark that the library would take away',
    `7845efbbbf${'78'.repeat(66)}`,
    'begins with a byte-order mark',
  ],
])('%s is refused', (_what, bytes, why) => {
  expect(refusal(() => bound.decode(unhex(bytes)))).toMatch(
    new RegExp(`^invalid_argument: malformed CBOR: .*${why}`),
  )
})

test('a repeated key is found among many', () => {
  const many = bound.encode(
    Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`k${at + 10}`, 0])),
  )
  const place = Buffer.from(many).indexOf('k39')
  many.set(Buffer.from('k10'), place)
  expect(refusal(() => bound.decode(many))).toContain('the key "k10" twice')
})

test.each([
  ['a Map within', { user: { tags: ['a', new Map()] } }, 'hold user.tags[1]: an instance of Map'],
  ['a class', new (class Greeting {})(), 'hold the message: an instance of Greeting'],
  ['a function', { run: () => 1 }, 'hold run: a function'],
  ['a bigint too large', [2n ** 4_096n], 'a bigint of more than 512 bytes'],
  ['an invalid Date', { at: new Date(Number.NaN) }, 'hold at: an invalid Date'],
  ['a Date far away', [new Date(4_420_971_641_341_857)], 'hold [0]: a Date too far away'],
  ['half of a surrogate pair', { a: ['\ud800'] }, 'hold a[0]: a text with half'],
  ['half of a surrogate pair as a key', { '\ud800': 1 }, 'a text with half'],
  ['the prototype', JSON.parse('{"a":{"__proto__":1}}'), 'hold a.__proto__: this key'],
  ['its constructor', { constructor: { prototype: 1 } }, 'hold constructor: this key'],
  ['a long text with a mark', `\ufeff${'x'.repeat(62)}`, 'begins with a byte-order mark'],
  ['the same in Chinese', `\ufeff${'世'.repeat(21)}`, 'begins with a byte-order mark'],
])('%s is not written', (_what, value, why) => {
  expect(refusal(() => bound.encode(value))).toContain('invalid_argument: CBOR cannot hold')
  expect(refusal(() => bound.encode(value))).toContain(why)
})

test('large maps and arrays come back', () => {
  for (const length of [65_535, 65_536]) {
    const list = Array.from({ length }, (_, at) => at)
    const map = Object.fromEntries(list.map((at) => [`k${at}`, at]))
    expect(bound.decode(bound.encode({ list, map }))).toStrictEqual({ list, map })
  }
})

test('a cycle is not written', () => {
  const cycle: unknown[] = []
  cycle.push({ cycle })
  expect(refusal(() => bound.encode(cycle))).toContain(
    'deeper than 200 levels, the limit maxDepth, or in a cycle',
  )
})

test.each([1, 200, 300])('%i levels are written and read, and none more', (maxDepth) => {
  const limited = bind(cborCodec({ maxDepth }))
  let value: unknown = 'x'
  for (let at = 0; at < maxDepth; at++) value = at % 2 === 0 ? [value] : { a: value }
  const bytes = limited.encode(value)
  expect(limited.decode(bytes)).toStrictEqual(value)
  const limit = `deeper than ${maxDepth} levels, the limit maxDepth`
  expect(refusal(() => limited.encode([value]))).toContain(limit)
  expect(refusal(() => limited.decode(Uint8Array.of(0x81, ...bytes)))).toContain(limit)
})

test('very many levels name the limit, and no stack', () => {
  for (const open of [[0x81], [0x9f], [0xa1, 0x61, 0x61], [0xbf, 0x61, 0x61]]) {
    const body = Uint8Array.from(
      { length: open.length * 100_000 },
      (_, at) => open[at % open.length] ?? 0,
    )
    expect(refusal(() => bound.decode(body))).toContain(
      'deeper than 200 levels, the limit maxDepth',
    )
  }
})

test('a claimed length makes no room for what is not there', () => {
  const before = process.memoryUsage()
  for (let at = 0; at < 2_000; at++) {
    refusal(() => bound.decode(unhex('9a0fffffff')))
    refusal(() => bound.decode(unhex('5a0fffffff')))
  }
  const after = process.memoryUsage()
  expect(after.rss - before.rss).toBeLessThan(200_000_000)
})

test('bytes are read as plain ones of their own', () => {
  const body = Buffer.from(bound.encode({ bytes: Buffer.from('abc') }))
  const { bytes } = bound.decode(body) as { bytes: Uint8Array }
  expect(bytes.constructor).toBe(Uint8Array)
  body.fill(0)
  expect(bytes).toStrictEqual(Uint8Array.of(0x61, 0x62, 0x63))
  expect(bytes.buffer.byteLength).toBe(3)
  expect(Object.keys(body)).not.toContain('dataView')
})

test('what is written holds no more memory than it needs', () => {
  bound.encode('x'.repeat(3_000_000))
  const bytes = bound.encode({ a: 1 })
  expect(bytes.constructor).toBe(Uint8Array)
  expect(bytes.buffer.byteLength).toBe(bytes.length)
})

test('small bigints are whole numbers, -0 is 0, the largest bigints come back', () => {
  expect(bound.decode(bound.encode({ b: 5n, c: -0 }))).toStrictEqual({ b: 5, c: 0 })
  for (const value of [2n ** 4_096n - 1n, -(2n ** 4_096n)]) {
    expect(bound.decode(bound.encode(value))).toBe(value)
  }
})

test('keys that mean something to objects are plain keys', () => {
  const value = { constructor: 'Ferrari', toJSON: 'x', hasOwnProperty: 1, prototype: { a: 1 } }
  expect(bound.decode(bound.encode(value))).toStrictEqual(value)
  const bare = Object.assign(Object.create(null), { a: 1 })
  expect(bound.decode(bound.encode(bare))).toStrictEqual({ a: 1 })
})

test('tags that other code gave the library are not followed', () => {
  addExtension({ Class: class {}, tag: 43_311, encode: () => Buffer.of(0), decode: () => 'taken' })
  expect(refusal(() => bound.decode(unhex('d9a92f00')))).toContain('the tag 43311')
})

test('options are checked by name', () => {
  expect(() => cborCodec({ maxDepth: 0 })).toThrow('option maxDepth: 0')
  expect(() => cborCodec({ maxDepth: 301 })).toThrow('option maxDepth')
  expect(() => cborCodec({ depth: 1 } as never)).toThrow('option depth: unknown')
})

test('a service answers in it', async () => {
  const Files = defineService('files', {
    size: unary<{ name: string; bytes: Uint8Array; at: Date }, { name: string; size: bigint }>(),
    ping: unary<void, null>(),
  })
  const network = memoryNetwork()
  await using service = createService({
    network,
    name: 'files',
    codecs: [cborCodec()],
    transports: [memoryTransport({ network, copy: 'codec' })],
    logger: memoryLogger(),
    shutdown: { signals: false },
  })
  service.handle(Files, {
    size: ({ name, bytes, at }) => ({
      name: `${name} of ${at.getUTCFullYear()}`,
      size: BigInt(bytes.length) + 2n ** 60n,
    }),
    ping: (input) => (input === undefined ? null : Promise.reject(new Error('it had an input'))),
  })
  await service.start()
  const files = service.client(Files)
  expect(await files.size({ name: 'a', bytes: new Uint8Array(3), at: new Date(0) })).toEqual({
    name: 'a of 1970',
    size: 2n ** 60n + 3n,
  })
  expect(await files.ping()).toBeNull()
})
