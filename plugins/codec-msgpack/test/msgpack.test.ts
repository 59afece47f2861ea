import { createService, defineService, memoryNetwork, unary } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { memoryTransport } from '@micro/core/transport'
import { msgpackCodec } from '@micro/plugin-codec-msgpack'
import fc from 'fast-check'
import { addExtension } from 'msgpackr'
import { expect, test } from 'vitest'

const type = { name: 'a message' }
const bound = bind(msgpackCodec())
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

function bind(codec: ReturnType<typeof msgpackCodec>) {
  const it = codec.bind(type, 'application/msgpack')
  if (it === undefined) throw new Error('it binds any type without a descriptor')
  return it
}

// The values of the specification's own table of formats.
test.each<[unknown, string]>([
  [null, 'c0'],
  [false, 'c2'],
  [true, 'c3'],
  [127, '7f'],
  [-32, 'e0'],
  [128, 'cc80'],
  [256, 'cd0100'],
  [65_536, 'ce00010000'],
  [-33, 'd0df'],
  [-129, 'd1ff7f'],
  [-32_769, 'd2ffff7fff'],
  [2n ** 63n, 'cf8000000000000000'],
  [-(2n ** 63n), 'd38000000000000000'],
  [1.5, 'cb3ff8000000000000'],
  ['', 'a0'],
  ['ü', 'a2c3bc'],
  ['x'.repeat(32), `d920${'78'.repeat(32)}`],
  ['x'.repeat(256), `da0100${'78'.repeat(256)}`],
  [Uint8Array.of(1, 2), 'c4020102'],
  [[1, [2]], '9201 9102'],
  [{ a: 1, b: {} }, '82a16101a16280'],
  [new Date(1_000), 'd6ff00000001'],
  [new Date(1_500), 'd7ff7735940000000001'],
  [new Date(-1), 'c70cff3b8b87c0ffffffffffffffff'],
])('a value is written as the specification has it, %#', (value, bytes) => {
  expect(hex(bound.encode(value))).toBe(bytes.replaceAll(' ', ''))
  expect(bound.decode(unhex(bytes))).toStrictEqual(value)
})

test.each([
  ['ca3fc00000', 1.5],
  ['cf0000000000000005', 5],
  ['d3ffffffffffffffff', -1],
  ['cf001fffffffffffff', Number.MAX_SAFE_INTEGER],
  ['d3ffdfffffffffffff', -(2n ** 53n) - 1n],
  ['dd00000001c3', [true]],
  ['df00000001a16101', { a: 1 }],
  ['c403010203', Uint8Array.of(1, 2, 3)],
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
    fc.bigInt(2n ** 53n + 1n, 2n ** 64n - 1n),
    fc.bigInt(-(2n ** 63n), -(2n ** 53n) - 1n),
    fc.date({ noInvalidDate: true }),
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
      expect(noMinusZero(bound.decode(bound.encode(value)))).toStrictEqual(noMinusZero(value))
    }),
    { numRuns: 3_000 },
  )
  expect(read).toBeGreaterThan(100)
})

/** MessagePack has it, and a number that is read may be it; it is written as 0. */
function noMinusZero(value: unknown): unknown {
  if (Object.is(value, -0)) return 0
  if (Array.isArray(value)) return value.map(noMinusZero)
  if (Object.getPrototypeOf(value ?? 1) !== Object.prototype) return value
  return Object.fromEntries(
    Object.entries(value as object).map(([name, inner]) => [name, noMinusZero(inner)]),
  )
}

test.each([
  ['a length that is not there', 'c6ffffffff', 'cut off: 4294967295 bytes more'],
  ['an array of lengths that are not there', 'dd7fffffff dd7fffffff', 'cut off: 2147483642 bytes'],
  ['an array with fewer items', 'dc0003 0102', 'cut off'],
  ['a text with fewer bytes', 'a3 6162', 'cut off: 1 bytes more'],
  ['bytes after the end', 'c0 c0c0', '2 bytes after the end'],
  ['a key that is no text', '8101c0', 'a key that is no text'],
  ['a repeated key', '82a16101a16102', 'the key "a" twice'],
  ['a repeated key, written in another way', '82a16101d9016102', 'the key "a" twice'],
  ['the prototype', '81a95f5f70726f746f5f5f80', 'the key "__proto__" is not allowed'],
  [
    'the prototype of the constructor',
    '81ab636f6e7374727563746f7281a970726f746f7479706580',
    'the key "prototype" is not allowed',
  ],
  ['a text that is not UTF-8', 'a2c328', 'not UTF-8'],
  ['half of a surrogate pair', 'a3eda080', 'not UTF-8'],
  ['an extension', 'c70501 0000000000', 'an extension of type 1'],
  ['an extension of the library: undefined', 'd40000', 'an extension of type 0'],
  ['an extension of the library: a record', 'd4724091a16101', 'an extension of type 114'],
  ['an extension of the library: an error', 'd4650093a145a16dc0', 'an extension of type 101'],
  ['a timestamp of another length', 'd5ff0000', 'a timestamp of 2 bytes'],
  ['a timestamp after the last Date', 'c70cff00000000 7fffffffffffffff', 'that is no Date'],
  ['a timestamp a bit after it', 'c70cff00000001 000007dba8218000', 'that is no Date'],
  ['too many nanoseconds', 'd7ffffffffff00000001', 'that is no Date'],
  ['the byte that is never used', 'c1', '0xc1'],
  [
    'a mark that the library would take away',
    `d945efbbbf${'78'.repeat(66)}`,
    'begins with a byte-order mark',
  ],
])('%s is refused', (_what, bytes, why) => {
  expect(refusal(() => bound.decode(unhex(bytes)))).toMatch(
    new RegExp(`^invalid_argument: malformed MessagePack: .*${why}`),
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
  ['undefined in an array', { list: [1, undefined] }, 'hold list[1]: undefined'],
  ['a hole in an array', new Array(1), 'hold [0]: undefined'],
  ['a function', { run: () => 1 }, 'hold run: a function'],
  ['a bigint of more than 64 bits', [2n ** 64n], 'a bigint of more than 64 bits'],
  ['an invalid Date', { at: new Date(Number.NaN) }, 'hold at: an invalid Date'],
  ['half of a surrogate pair', { a: ['\ud800'] }, 'hold a[0]: a text with half'],
  ['half of a surrogate pair as a key', { '\ud800': 1 }, 'a text with half'],
  ['the prototype', JSON.parse('{"a":{"__proto__":1}}'), 'hold a.__proto__: this key'],
  ['its constructor', { constructor: { prototype: 1 } }, 'hold constructor: this key'],
  ['a long text with a mark', `\ufeff${'x'.repeat(62)}`, 'begins with a byte-order mark'],
  ['the same in Chinese', `\ufeff${'世'.repeat(21)}`, 'begins with a byte-order mark'],
])('%s is not written', (_what, value, why) => {
  expect(refusal(() => bound.encode(value))).toContain('invalid_argument: MessagePack cannot hold')
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
  const limited = bind(msgpackCodec({ maxDepth }))
  let value: unknown = 'x'
  for (let at = 0; at < maxDepth; at++) value = at % 2 === 0 ? [value] : { a: value }
  const bytes = limited.encode(value)
  expect(limited.decode(bytes)).toStrictEqual(value)
  const limit = `deeper than ${maxDepth} levels, the limit maxDepth`
  expect(refusal(() => limited.encode([value]))).toContain(limit)
  expect(refusal(() => limited.decode(Uint8Array.of(0x91, ...bytes)))).toContain(limit)
})

test('very many levels name the limit, and no stack', () => {
  for (const open of [[0x91], [0x81, 0xa1, 0x61]]) {
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
    refusal(() => bound.decode(unhex('dd0fffffff')))
    refusal(() => bound.decode(unhex('c60fffffff')))
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

test('properties that are undefined are left out, small bigints are whole numbers, -0 is 0', () => {
  const value = { a: undefined, b: 5n, c: -0 }
  expect(bound.decode(bound.encode(value))).toStrictEqual({ b: 5, c: 0 })
})

test('keys that mean something to objects are plain keys', () => {
  const value = { constructor: 'Ferrari', toJSON: 'x', hasOwnProperty: 1, prototype: { a: 1 } }
  expect(bound.decode(bound.encode(value))).toStrictEqual(value)
  const bare = Object.assign(Object.create(null), { a: 1 })
  expect(bound.decode(bound.encode(bare))).toStrictEqual({ a: 1 })
})

test('extensions that other code gave the library are not run', () => {
  addExtension({ type: 42, unpack: () => 'taken over' })
  expect(refusal(() => bound.decode(unhex('d42a00')))).toContain('an extension of type 42')
})

test('options are checked by name', () => {
  expect(() => msgpackCodec({ maxDepth: 0 })).toThrow('option maxDepth: 0')
  expect(() => msgpackCodec({ maxDepth: 301 })).toThrow('option maxDepth')
  expect(() => msgpackCodec({ depth: 1 } as never)).toThrow('option depth: unknown')
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
    codecs: [msgpackCodec()],
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
