import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { Busboy } from '@fastify/busboy'
import { createService, defineService, memoryNetwork, unary } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { memoryTransport } from '@micro/core/transport'
import { type FormCodecOptions, type FormFile, formCodec } from '@micro/plugin-codec-form'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const type = { name: 'a message' }
const multipart = bind('multipart/form-data')
const urlEncoded = bind('application/x-www-form-urlencoded')
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const file = (name: string, content: string, mediaType = 'text/plain'): FormFile => ({
  name,
  type: mediaType,
  bytes: utf8(content),
})
const refusal = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    const { code, detail } = error as { code?: string; detail?: string }
    return `${code}: ${detail}`
  }
  return 'none'
}

function bind(contentType: string, options: FormCodecOptions = {}) {
  const it = formCodec(options).bind(type, contentType)
  if (it === undefined) throw new Error('it binds any type without a descriptor')
  return it
}

test.each<[string, unknown]>([
  ['a=1&b=two+words&c=%C3%BC', { a: '1', b: 'two words', c: 'ü' }],
  ['a', { a: '' }],
  ['a=', { a: '' }],
  ['=x', { '': 'x' }],
  ['a=b=c', { a: 'b=c' }],
  ['&a=1&&b=2&', { a: '1', b: '2' }],
  ['a=1&a=2&a=3', { a: ['1', '2', '3'] }],
  ['a[]=1', { a: ['1'] }],
  ['a%5B%5D=1&a[]=2', { a: ['1', '2'] }],
  ['user[name]=Ada&user[tags][]=x&user[tags][]=y', { user: { name: 'Ada', tags: ['x', 'y'] } }],
  ['a[0]=x&a[1]=y', { a: { 0: 'x', 1: 'y' } }],
  ['constructor=Ferrari&toString=x', { constructor: 'Ferrari', toString: 'x' }],
  ['&', {}],
])('%s, as browsers write it, is read', (body, value) => {
  expect(urlEncoded.decode(utf8(body))).toStrictEqual(value)
})

test('it is written as browsers do', () => {
  const value = { a: 'ü &=+', b: ['1', '2'], c: { d: 'x' } }
  expect(text(urlEncoded.encode(value))).toBe('a=%C3%BC+%26%3D%2B&b%5B%5D=1&b%5B%5D=2&c%5Bd%5D=x')
  const body = text(multipart.encode({ 'a"': 'x', f: file('f".txt', 'content') }))
  const boundary = body.slice(2, body.indexOf('\r\n'))
  expect(boundary).toMatch(/^micro-form-[0-9a-f]{40}$/)
  expect(body.replaceAll(boundary, 'B')).toBe(
    [
      '--B',
      'Content-Disposition: form-data; name="a%22"',
      '',
      'x',
      '--B',
      'Content-Disposition: form-data; name="f"; filename="f%22.txt"',
      'Content-Type: text/plain',
      '',
      'content',
      '--B--',
      '',
    ].join('\r\n'),
  )
})

const words = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc
    .array(fc.constantFrom('"', '%', '\r', '\n', '&', '=', '+', ';', '\\', '--', ' '), {
      maxLength: 8,
    })
    .map((parts) => parts.join('')),
)
const names = words.filter(
  (name) => !/\0|[[\]]|%22|%0d|%0a/i.test(name) && name !== '__proto__' && name !== '',
)
const files = fc.record(
  {
    name: words.filter((name) => !/\0|%22|%0d|%0a/i.test(name)),
    type: fc.constantFrom('text/plain', 'image/png', 'text/csv; charset="utf-16"'),
    bytes: fc
      .oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom('\r\n--', '\r\n', '--micro-form-0', '\r\n--micro-form-').map(utf8),
      )
      .map((bytes) => new Uint8Array(bytes)),
  },
  { noNullPrototype: true },
)
const formOf = (leaf: fc.Arbitrary<unknown>) =>
  fc.letrec<{ tree: Record<string, unknown> }>((tie) => ({
    tree: fc.dictionary(
      names,
      fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        leaf,
        fc.array(leaf, { minLength: 1, maxLength: 4 }),
        tie('tree').filter((inner) => Object.keys(inner).length > 0),
      ),
      { minKeys: 1, maxKeys: 5, noNullPrototype: true },
    ),
  })).tree

test('any form of text comes back equal, url-encoded', () => {
  fc.assert(
    fc.property(formOf(words), (value) => {
      const bytes = urlEncoded.encode(value)
      expect(urlEncoded.decode(bytes)).toStrictEqual(value)
      // The platform's own reader sees the same texts.
      expect([...new URLSearchParams(text(bytes)).values()]).toEqual(leavesOf(value))
    }),
    { numRuns: 500 },
  )
})

test('any form with files comes back equal, multipart', () => {
  fc.assert(
    fc.property(formOf(fc.oneof(words, files)), (value) => {
      expect(multipart.decode(multipart.encode(value))).toStrictEqual(value)
    }),
    { numRuns: 500 },
  )
})

function leavesOf(value: unknown): unknown[] {
  return typeof value === 'string' ? [value] : Object.values(value as object).flatMap(leavesOf)
}

test('another reader sees the same form', async () => {
  const plain = fc
    .string({ unit: 'grapheme', maxLength: 20 })
    .filter((name) => /^[^[\]"%\\]+$/.test(name) && name !== '__proto__')
  const form = fc.dictionary(plain, fc.oneof(words, files), {
    minKeys: 1,
    maxKeys: 5,
    noNullPrototype: true,
  })
  await fc.assert(
    fc.asyncProperty(form, async (value) => {
      const seen = await readByBusboy(multipart.encode(value))
      const expected = Object.entries(value).map(([name, each]) => [
        name,
        typeof each === 'string' ? each : Buffer.from(each.bytes).toString('hex'),
      ])
      expect(seen.sort()).toEqual(expected.sort())
    }),
    { numRuns: 100 },
  )
})

async function readByBusboy(bytes: Uint8Array): Promise<[string, string][]> {
  const boundary = text(bytes.subarray(2, bytes.indexOf(0x0d)))
  const busboy = new Busboy({
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
  })
  const seen: Promise<[string, string]>[] = []
  busboy.on('field', (name, value) => seen.push(Promise.resolve([name, value])))
  busboy.on('file', (name, stream) =>
    seen.push(buffer(stream).then((content) => [name, content.toString('hex')])),
  )
  const finished = new Promise((resolve, reject) => {
    busboy.on('finish', resolve)
    busboy.on('error', reject)
  })
  Readable.from([bytes]).pipe(busboy)
  await finished
  return Promise.all(seen)
}

test('what the platform itself writes is read', async () => {
  const form = new FormData()
  form.append('name', 'Ada "the first"')
  form.append('a"b\r\n', 'x')
  form.append('tags[]', 'x')
  form.append('tags[]', 'y')
  form.append('file', new File([Uint8Array.of(0, 255, 13, 10)], 'ü".bin', { type: 'image/png' }))
  form.append('bare', new File(['x'], ''))
  const body = new Uint8Array(await new Response(form).arrayBuffer())
  expect(multipart.decode(body)).toStrictEqual({
    name: 'Ada "the first"',
    'a"b\r\n': 'x',
    tags: ['x', 'y'],
    file: { name: 'ü".bin', type: 'image/png', bytes: Uint8Array.of(0, 255, 13, 10) },
    bare: { name: '', type: 'application/octet-stream', bytes: Uint8Array.of(0x78) },
  })
})

const form = (head: string, content = 'x') => utf8(`--b\r\n${head}\r\n\r\n${content}\r\n--b--\r\n`)
const named = 'Content-Disposition: form-data; name="a"'

test.each<[string, Uint8Array, unknown]>([
  ['headers in other letters', form('content-disposition:FORM-DATA;NAME=a'), { a: 'x' }],
  ['no line break at the end', utf8(`--b\r\n${named}\r\n\r\nx\r\n--b--`), { a: 'x' }],
  ['an empty part', form(named, ''), { a: '' }],
  [
    'a part that looks like a boundary',
    form(named, 'x--b\r\n-- b\r\n--'),
    { a: 'x--b\r\n-- b\r\n--' },
  ],
  ['text with a charset', form(`${named}\r\nContent-Type: text/plain; charset=UTF-8`), { a: 'x' }],
  ['other headers', form(`${named}\r\nContent-Length: 1\r\nX-Y: z`), { a: 'x' }],
  ['a form without fields', utf8('--b--\r\n'), {}],
  [
    'filename* beside filename',
    form(`${named}; filename="f"; filename*=UTF-8''g\r\nContent-Type: a/b`),
    { a: { name: 'f', type: 'a/b', bytes: Uint8Array.of(0x78) } },
  ],
])('%s: is read', (_what, body, value) => {
  expect(multipart.decode(body)).toStrictEqual(value)
})

test.each<[string, Uint8Array, string]>([
  ['no boundary', utf8('x'), 'does not begin with a boundary'],
  [
    'a text in front',
    utf8(`x\r\n--b\r\n${named}\r\n\r\nx\r\n--b--`),
    'does not begin with a boundary',
  ],
  ['a long boundary', utf8(`--${'b'.repeat(71)}\r\n`), 'does not begin with a boundary'],
  ['a form that is cut off', utf8(`--b\r\n${named}\r\n\r\nx`), 'cut off'],
  ['a last boundary that is cut off', utf8(`--b\r\n${named}\r\n\r\nx\r\n--b-`), 'only begins as'],
  ['a boundary that goes on', utf8(`--b\r\n${named}\r\n\r\nx\r\n--bc\r\n`), 'only begins as'],
  [
    'a text behind',
    utf8(`--b\r\n${named}\r\n\r\nx\r\n--b--\r\nx`),
    'bytes after the last boundary',
  ],
  ['a part without headers', utf8('--b\r\n--b--\r\n'), 'a part without headers'],
  ['headers that do not end', utf8(`--b\r\n${named}\r\n--b--\r\n`), 'headers do not end'],
  ['headers without end', form(`${named}\r\nX: ${'x'.repeat(20_000)}`), 'more than 16 KiB'],
  ['a header that is none', form(`${named}\r\nnonsense`), 'no header'],
  ['a folded header', form(`${named};\r\n filename="x"`), 'no header'],
  ['a header with a bare line break', form(`${named}\nX: y`), 'no header'],
  ['two dispositions', form(`${named}\r\n${named}`), 'two headers Content-Disposition'],
  ['no disposition', form('Content-Type: text/plain'), 'no form-data'],
  ['another disposition', form('Content-Disposition: attachment; name="a"'), 'no form-data'],
  ['no name', form('Content-Disposition: form-data; filename="a"'), 'without a name'],
  ['two names', form(`${named}; name="b"`), 'two parameters name'],
  ['a broken disposition', form(`${named}; filename="a`), 'disposition that is broken'],
  ['a name in backslashes', form('Content-Disposition: form-data; name="a\\"b"'), 'broken'],
  ['filename* alone', form(`${named}; filename*=UTF-8''x`), 'filename* and no filename'],
  ['base64', form(`${named}\r\nContent-Transfer-Encoding: base64`), 'transfer encoding base64'],
  [
    'JSON without a filename',
    form(`${named}\r\nContent-Type: application/json`),
    'without a filename',
  ],
  ['another charset', form(`${named}\r\nContent-Type: text/plain; charset=latin1`), 'of the type'],
  [
    'a text that is not UTF-8',
    new Uint8Array(Buffer.from(text(form(named, '\u00ff')), 'latin1')),
    'a: not valid UTF-8',
  ],
  [
    'a name that is not UTF-8',
    new Uint8Array(
      Buffer.from(`--b\r\n${named.replace('"a"', '"\u00ff"')}\r\n\r\nx\r\n--b--`, 'latin1'),
    ),
    'a name that is not valid UTF-8',
  ],
])('%s: is refused', (_what, body, why) => {
  const reason = refusal(() => multipart.decode(body))
  expect(reason).toContain('invalid_argument: malformed form: ')
  expect(reason).toContain(why)
})

test.each([
  ['a broken escape', 'a=%4', 'a: a broken escape'],
  ['an escape that is no text', 'a=%ff', 'a: a broken escape'],
  ['half of a surrogate pair', 'a=%ED%A0%80', 'a: a broken escape'],
  ['a bracket that stays open', 'a[b=1', 'brackets that do not match'],
  ['a bracket too many', 'a]=1', 'brackets that do not match'],
  ['brackets within brackets', 'a[b[c]]=1', 'brackets that do not match'],
  ['text after brackets', 'a[b]c=1', 'brackets that do not match'],
  ['arrays of arrays', 'a[][]=1', 'are empty within'],
  ['arrays of objects', 'a[][b]=1', 'are empty within'],
  ['a text and an object', 'a=1&a[b]=2', 'a[b] is a field and something else'],
  ['an object and a text', 'a[b]=1&a=2', 'a is a field and something else'],
  ['an array and an object', 'a[]=1&a[b]=2', 'a[b] is a field and something else'],
  ['both ways of arrays', 'a[]=1&a=2', 'a is a field and something else'],
  ['both ways of arrays, the other way', 'a=1&a=2&a[]=3', 'a is a field and something else'],
  ['the prototype', '__proto__[x]=1', 'the key __proto__ is not allowed'],
  ['the prototype within', 'a[__proto__]=1', 'the key __proto__ is not allowed'],
  ['the prototype of the constructor', 'constructor[prototype][x]=1', 'the key prototype is not'],
  ['many levels', 'a[a][a][a][a][a][a][a][a][a][a]=1', 'deeper than 10 levels, the limit maxDepth'],
  ['many fields', 'a=1&'.repeat(1_001), 'more than 1000 fields, the limit maxFields'],
  ['a long text', `a=${'x'.repeat(1_048_577)}`, 'more than 1048576 bytes, the limit maxFieldSize'],
  ['a long name', `${'x'.repeat(1_048_577)}=a`, 'more than 1048576 bytes, the limit maxFieldSize'],
])('%s, url-encoded: is refused', (_what, body, why) => {
  const reason = refusal(() => urlEncoded.decode(utf8(body)))
  expect(reason).toContain('invalid_argument: malformed form: ')
  expect(reason).toContain(why)
  expect(reason.length).toBeLessThan(300)
})

test('each limit holds when writing and when reading, in both encodings', () => {
  const cases: [FormCodecOptions, unknown, unknown, string][] = [
    [{ maxDepth: 2 }, { a: { b: ['x'] } }, { a: { b: { c: 'x' } } }, 'the limit maxDepth'],
    [
      { maxFields: 3 },
      { a: ['x', 'y'], b: 'z' },
      { a: ['w', 'x', 'y', 'z'] },
      'the limit maxFields',
    ],
    [{ maxFieldSize: 4 }, { abcd: 'üü' }, { a: ['ü', 'üüx', ''] }, 'the limit maxFieldSize'],
  ]
  for (const contentType of ['multipart/form-data', 'application/x-www-form-urlencoded']) {
    for (const [options, within, beyond, why] of cases) {
      const [limited, free] = [bind(contentType, options), bind(contentType)]
      expect(limited.decode(limited.encode(within))).toStrictEqual(within)
      expect(refusal(() => limited.encode(beyond))).toContain(why)
      expect(refusal(() => limited.decode(free.encode(beyond)))).toContain(why)
    }
  }
  const limited = bind('multipart/form-data', { maxFileSize: 3 })
  expect(limited.decode(limited.encode({ a: file('f', 'abc') }))).toStrictEqual({
    a: file('f', 'abc'),
  })
  const big = { a: [file('f', 'abcd'), file('g', 'a')] }
  expect(refusal(() => limited.encode(big))).toContain('a file of more than 3 bytes')
  const why = 'a file of more than 3 bytes, the limit maxFileSize'
  expect(refusal(() => limited.decode(multipart.encode(big)))).toContain(why)
})

test.each<[string, unknown, string]>([
  ['what is no object', 'x', 'only an object of fields'],
  ['an array', ['x'], 'only an object of fields'],
  ['a file alone', file('f', 'x'), 'only an object of fields'],
  ['a number', { a: { b: 1 } }, 'hold a[b]: number'],
  ['null', { a: null }, 'hold a: null'],
  ['bytes', { a: new Uint8Array(1) }, 'hold a: bytes; give a file'],
  ['an empty array', { a: [] }, 'hold a: an empty array'],
  ['an empty object', { a: { b: undefined } }, 'hold a: an empty object'],
  ['an array of objects', { a: [{ b: 'x' }] }, 'hold a[]: an array of anything but text'],
  ['an array of arrays', { a: [['x']] }, 'hold a[]: an array of anything but text'],
  ['brackets in a key', { 'a[b]': 'x' }, 'a key that is empty or has brackets'],
  ['an empty key within', { a: { '': 'x' } }, 'a key that is empty or has brackets'],
  ['a Date', { a: new Date(0) }, 'hold a: an instance of Date'],
  ['the prototype', JSON.parse('{"a":{"__proto__":"x"}}'), 'hold a.__proto__: this key'],
  ['half of a surrogate pair', { a: '\ud800' }, 'hold a: a text with half'],
])('%s: is not written', (_what, value, why) => {
  for (const bound of [multipart, urlEncoded]) {
    expect(refusal(() => bound.encode(value))).toContain('invalid_argument: a form cannot hold')
    expect(refusal(() => bound.encode(value))).toContain(why)
  }
})

test('what one of the two encodings cannot hold is not written', () => {
  expect(refusal(() => urlEncoded.encode({ a: file('f', 'x') }))).toContain('needs multipart')
  expect(refusal(() => urlEncoded.encode({}))).toContain('no field at all')
  expect(multipart.decode(multipart.encode({}))).toStrictEqual({})
  expect(refusal(() => multipart.encode({ 'a%22': 'x' }))).toContain('which are escapes')
  expect(refusal(() => multipart.encode({ a: file('\0', 'x') }))).toContain('the character 0')
  expect(refusal(() => multipart.encode({ a: file('f', 'x', '') }))).toContain('give a media type')
  expect(refusal(() => multipart.encode({ a: file('f', 'x', 'a/b\r\nX: y') }))).toContain(
    'media type',
  )
  expect(refusal(() => multipart.encode({ ['x'.repeat(20_000)]: 'x' }))).toContain('16 KiB')
})

test('fields that are listed are arrays, one or many', () => {
  const listed = bind('application/x-www-form-urlencoded', { arrays: ['a', 'u[b]'] })
  expect(listed.decode(utf8('a=1&u[b]=2&c=3'))).toStrictEqual({ a: ['1'], u: { b: ['2'] }, c: '3' })
  expect(listed.decode(utf8('a=1&a=2'))).toStrictEqual({ a: ['1', '2'] })
  expect(text(listed.encode({ a: ['1'], c: ['2'] }))).toBe('a=1&c%5B%5D=2')
  expect(refusal(() => listed.encode({ a: '1' }))).toContain('it is among the arrays, and is none')
  expect(refusal(() => listed.decode(utf8('a[]=1')))).toContain('brackets where none belong')
})

test('files are plain bytes of their own', () => {
  const body = Buffer.from(multipart.encode({ a: file('../../etc/passwd', 'abc') }))
  const { a } = multipart.decode(body) as { a: FormFile }
  body.fill(0)
  expect(a.name).toBe('../../etc/passwd')
  expect(a.bytes.constructor).toBe(Uint8Array)
  expect(a.bytes).toStrictEqual(utf8('abc'))
  expect(a.bytes.buffer.byteLength).toBe(3)
})

test.each<[string, (n: number) => Uint8Array]>([
  ['fields of one name', (n) => utf8('a=1&'.repeat(n))],
  ['fields of many names', (n) => utf8(Array.from({ length: n }, (_, at) => `a${at}=1`).join('&'))],
  ['separators', (n) => utf8('&'.repeat(100 * n))],
])('%s take time in proportion to the length', (_what, make) => {
  const large = bind('application/x-www-form-urlencoded', { maxFields: 1_000_000 })
  expect(growth((n) => large.decode(make(n)))).toBe('in proportion')
})

test.each<[string, (n: number) => string]>([
  ['beginnings of boundaries', (n) => '\r\n--'.repeat(n)],
  ['headers', (n) => '\r\n\r\n'.repeat(n)],
  ['many parts', (n) => `x\r\n--b\r\n${named.replace('"a"', '"a[]"')}\r\n\r\n`.repeat(n)],
])('%s take time in proportion to the length, multipart', (_what, make) => {
  const large = bind('multipart/form-data', { maxFields: 1_000_000 })
  const first = named.replace('"a"', '"a[]"')
  expect(growth((n) => large.decode(form(first, make(n))))).toBe('in proportion')
})

/** Time of the processor, whatever else it does: for ten times the length a hundred, if it is the square. */
function growth(work: (n: number) => void): string {
  const time = (n: number) => {
    const before = process.cpuUsage()
    work(n)
    return process.cpuUsage(before).user / 1_000
  }
  time(2_000)
  const [small, large] = [time(4_000), time(40_000)]
  return large < Math.max(40 * small, 1_500) ? 'in proportion' : `${small} ms, then ${large} ms`
}

test('options are checked by name', () => {
  expect(() => formCodec({ maxDepth: 101 })).toThrow('option maxDepth: 101')
  expect(() => formCodec({ maxFields: 0 })).toThrow('option maxFields: 0')
  expect(() => formCodec({ maxFieldSize: 1.5 })).toThrow('option maxFieldSize')
  expect(() => formCodec({ maxFileSize: -1 })).toThrow('option maxFileSize')
  expect(() => formCodec({ depth: 1 } as never)).toThrow('option depth: unknown')
})

test('a service takes forms', async () => {
  const Uploads = defineService('uploads', {
    store: unary<{ title: string }, { title: string }>(),
    ping: unary<void, void>(),
  })
  const network = memoryNetwork()
  await using service = createService({
    network,
    name: 'uploads',
    codecs: [formCodec()],
    transports: [memoryTransport({ network, copy: 'codec' })],
    logger: memoryLogger(),
    shutdown: { signals: false },
  })
  service.handle(Uploads, {
    store: ({ title }) => ({ title: `${title}, stored` }),
    ping: (input) => (input === undefined ? undefined : Promise.reject(new Error('an input'))),
  })
  await service.start()
  const uploads = service.client(Uploads)
  expect(await uploads.store({ title: 'a & b' })).toEqual({ title: 'a & b, stored' })
  expect(await uploads.ping()).toBeUndefined()
})
