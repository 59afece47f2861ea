import { createService, defineService, memoryNetwork, unary } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { memoryTransport } from '@micro/core/transport'
import { xmlCodec } from '@micro/plugin-codec-xml'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const type = { name: 'a message' }
const bound = bind(xmlCodec())
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const refusal = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    const { code, detail } = error as { code?: string; detail?: string }
    return `${code}: ${detail}`
  }
  return 'none'
}

function bind(codec: ReturnType<typeof xmlCodec>) {
  const it = codec.bind(type, 'application/xml')
  if (it === undefined) throw new Error('it binds any type without a descriptor')
  return it
}

test.each<[string, unknown, string]>([
  ['text', 'a < b', '<message>a &lt; b</message>'],
  ['elements', { a: 'x', b: { c: 'y' } }, '<message><a>x</a><b><c>y</c></b></message>'],
  ['an empty text', { a: '' }, '<message><a/></message>'],
  [
    'attributes and text',
    { order: { '@id': '7', '#text': 'x' } },
    '<message><order id="7">x</order></message>',
  ],
])('%s need no marks', (_what, value, xml) => {
  expect(text(bound.encode(value))).toBe(xml)
  expect(bound.decode(utf8(xml))).toStrictEqual(value)
})

test.each<[string, unknown, string]>([
  ['a number', { a: 1 }, '<a m:type="number">1</a>'],
  ['a boolean', { a: true }, '<a m:type="boolean">true</a>'],
  ['null', { a: null }, '<a m:type="null"/>'],
  ['a bigint', { a: 2n ** 60n }, '<a m:type="bigint">1152921504606846976</a>'],
  ['a Date', { a: new Date(0) }, '<a m:type="date">1970-01-01T00:00:00.000Z</a>'],
  ['bytes', { a: Uint8Array.of(1, 2, 3) }, '<a m:type="bytes">AQID</a>'],
  ['an empty object', { a: {} }, '<a m:type="object"/>'],
  ['an array', { a: ['x', 'y'] }, '<a m:list="item">x</a><a m:list="item">y</a>'],
  ['an array of one', { a: ['x'] }, '<a m:list="item">x</a>'],
  ['an empty array', { a: [] }, '<a m:list="empty"/>'],
  [
    'an array of arrays',
    { a: [[1]] },
    '<a m:list="item" m:type="array"><item m:list="item" m:type="number">1</item></a>',
  ],
  ['a key that is no name', { '1': 'x' }, '<entry m:key="1">x</entry>'],
  ['a number with attributes', { a: { '@u': 'm', '#text': 1 } }, '<a u="m" m:type="number">1</a>'],
])('%s is marked', (_what, value, xml) => {
  const whole = `<message xmlns:m="urn:micro:xml">${xml}</message>`
  expect(text(bound.encode(value))).toBe(whole)
  expect(bound.decode(utf8(whole))).toStrictEqual(value)
})

test('documents of others are read', () => {
  const xml = `\ufeff<?xml version="1.0" encoding="utf-8" standalone='yes'?>
<!-- an order > of "others" -->
<message
    xmlns:x='urn:x' x:at = "a
b&#10;&amp;&quot;">
  <item>1</item>
  <item kind='b>c'>&lt;two&gt; &#x1F642;</item>
  <x:note><![CDATA[<b>&amp;</b>]]> a<!-- no -->b </x:note>
  <one/>
</message>
<!-- end -->
`
  expect(bound.decode(utf8(xml))).toStrictEqual({
    '@xmlns:x': 'urn:x',
    '@x:at': 'a b\n&"',
    item: ['1', { '@kind': 'b>c', '#text': '<two> 🙂' }],
    'x:note': '<b>&amp;</b> ab ',
    one: '',
  })
  const listed = bind(xmlCodec({ arrays: ['one'], root: 'message' }))
  expect(listed.decode(utf8('<message><one>1</one></message>'))).toStrictEqual({ one: ['1'] })
  // Marks of another namespace are none of ours.
  const foreign = '<message xmlns:m="urn:other"><a m:type="number">x</a></message>'
  expect(bound.decode(utf8(foreign))).toStrictEqual({
    '@xmlns:m': 'urn:other',
    a: { '@m:type': 'number', '#text': 'x' },
  })
})

const character = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 2 }),
  fc.constantFrom(
    '<',
    '>',
    '&',
    '"',
    "'",
    '\r',
    '\n',
    '\t',
    ' ',
    ']]>',
    '&amp;',
    '\u0085',
    '\ufeff',
  ),
)
// biome-ignore lint/suspicious/noControlCharactersInRegex: XML has none of these
const has = (value: string) => !/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.test(value)
const words = fc
  .array(character, { maxLength: 20 })
  .map((parts) => parts.join(''))
  .filter((value) => value.isWellFormed() && has(value))
const keys = fc
  .oneof(words, fc.constantFrom('a', 'b:c', 'item', 'entry', 'toString', 'xmlns', 'é', 'valueOf'))
  .filter((name) => name !== '__proto__' && name !== '#text' && !name.startsWith('@'))
const attributes = fc.dictionary(fc.constantFrom('@a', '@b:c', '@toString'), words, {
  minKeys: 1,
  noNullPrototype: true,
})
const { any } = fc.letrec<{ any: unknown; scalar: unknown }>((tie) => ({
  scalar: fc.oneof(
    words,
    fc.double(),
    fc.integer(),
    fc.constantFrom(-0, 1e21, 2 ** 60, null, true, false),
    fc.bigInt(-(2n ** 300n), 2n ** 300n),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array({ maxLength: 100 }).map((bytes) => new Uint8Array(bytes)),
  ),
  any: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    tie('scalar'),
    fc.array(tie('any'), { maxLength: 6 }),
    fc.dictionary(keys, tie('any'), { maxKeys: 10, noNullPrototype: true }),
    fc
      .tuple(attributes, fc.dictionary(keys, tie('any'), { maxKeys: 4, noNullPrototype: true }))
      .map(([some, others]) => ({ ...some, ...others })),
    fc
      .tuple(attributes, tie('scalar'))
      .filter(([, scalar]) => scalar !== '')
      .map(([some, scalar]) => ({ ...some, '#text': scalar })),
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

test('whatever document is read, what was read of it comes back equal', () => {
  const piece = fc.constantFrom(
    ...['<a>', '</a>', '<b x="1">', '</b>', '<c/>', ' ', 'text', '&amp;', '&#13;', '\n'],
    ...['<![CDATA[', ']]>', '<!--', '-->', "<d y='&lt;'/>", '<a m:list="item"/>', '&#x1f;'],
    ...['<a m:type="number">1</a>', '<entry m:key="x y">z</entry>', '<a m:list="empty"/>'],
  )
  const bodies = fc
    .array(piece, { maxLength: 12 })
    .map((parts) => `<message xmlns:m="urn:micro:xml">${parts.join('')}</message>`)
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
    { numRuns: 1_000 },
  )
  expect(read).toBeGreaterThan(100)
})

const laughs = `<!DOCTYPE message [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><message>&b;</message>`
const external = '<!DOCTYPE message SYSTEM "http://127.0.0.1:1/x.dtd"><message/>'
const marked = (xml: string) => `<message xmlns:m="urn:micro:xml">${xml}</message>`

test.each([
  ['entities that multiply', laughs, 'a document type or another declaration'],
  [
    'an external entity',
    '<!DOCTYPE message [<!ENTITY a SYSTEM "file:///etc/passwd">]><message>&a;</message>',
    'a document type',
  ],
  ['an external document type', external, 'a document type'],
  ['a document type in lower case', '<!doctype message><message/>', 'a document type'],
  ['a declaration within', '<message><!ENTITY a "b"></message>', 'another declaration'],
  ['an entity of HTML', '<message>&nbsp;</message>', "not one of XML's five: &nbsp;"],
  ['an entity in an attribute', '<message a="&x;"/>', "not one of XML's five: &x;"],
  ['a lone ampersand', '<message>a & b</message>', "not one of XML's five"],
  ['a reference to no character', '<message>&#0;</message>', 'does not have: &#0;'],
  ['a reference to half of a pair', '<message>&#xD800;</message>', 'does not have: &#xD800;'],
  ['a reference beyond all', '<message>&#x110000;</message>', 'does not have: &#x110000;'],
  ['a control character', '<message>\n\u0001</message>', 'does not have, at line 2'],
  ['an instruction', '<?xml-stylesheet href="x"?><message/>', 'an instruction'],
  ['an instruction within', '<message><?php x ?></message>', 'an instruction'],
  ['another version', '<?xml version="1.1"?><message/>', 'an instruction'],
  ['another encoding', '<?xml version="1.0" encoding="latin1"?><message/>', 'an instruction'],
  ['another root', '<other/>', 'the root element is "other", not message'],
  ['two roots', '<message/><message/>', 'a second root element'],
  ['no root', '<!-- x -->', 'it has no root element'],
  ['a text outside', 'x<message/>', 'text outside the root element'],
  ['a text after it', '<message/>x', 'text outside the root element'],
  ['an element that does not end', '<message><a>', 'cut off within the element a'],
  ['a tag that does not end', '<message', 'the element message does not end'],
  ['crossed elements', '<message><a><b></a></b></message>', 'an end of another element than b'],
  ['an end too many', '<message/></message>', 'an end of another element than any'],
  ['an end with more', '<message></message x="1">', 'an end of another element'],
  ['an attribute twice', '<message a="1" a="2"/>', 'the attribute a twice'],
  ['an attribute without quotes', '<message a=1/>', 'does not end'],
  ['an attribute without value', '<message a/>', 'does not end'],
  ['attributes without space', '<message a="1"b="2"/>', 'does not end'],
  ['"<" in an attribute', '<message a="<"/>', 'does not end'],
  ['"<" in a text', '<message>1 < 2</message>', 'without the name'],
  ['"]]>" in a text', '<message>]]></message>', '"]]>" in a text'],
  ['a comment that does not end', '<message><!-- x</message>', 'a comment without its end'],
  ['"--" in a comment', '<message><!-- a -- b --></message>', 'a comment without its end'],
  ['CDATA that does not end', '<message><![CDATA[x</message>', 'CDATA'],
  ['CDATA outside', '<![CDATA[x]]><message/>', 'CDATA'],
  ['text between elements', '<message>a<b/></message>', 'text next to elements in "message"'],
  ['the prototype', '<message><__proto__><a/></__proto__></message>', '__proto__'],
  ['the prototype as an attribute', '<message __proto__="x"/>', '__proto__'],
  ['the prototype as a key', marked('<entry m:key="__proto__">x</entry>'), '"__proto__"'],
  ['an attribute as a key', marked('<entry m:key="@a">x</entry>'), 'the key "@a" of an element'],
  ['a type that is none', marked('<a m:type="set">x</a>'), '"a" is no set'],
  ['a number that is none', marked('<a m:type="number">0x10</a>'), '"a" is no number'],
  ['a number too large', marked('<a m:type="number">1e999</a>'), '"a" is no number'],
  ['a bigint of many digits', marked(`<a m:type="bigint">${'9'.repeat(1_002)}</a>`), 'no bigint'],
  ['a date that is none', marked('<a m:type="date">yesterday</a>'), '"a" is no date'],
  ['bytes that are none', marked('<a m:type="bytes">A</a>'), '"a" is no bytes'],
  ['null with something', marked('<a m:type="null">x</a>'), '"a" is no null'],
  ['a number of elements', marked('<a m:type="number"><b/></a>'), '"a" is no number'],
  ['an array of other elements', marked('<a m:type="array"><b/></a>'), '"a" is no array'],
  ['an array half marked', marked('<a m:list="item"/><a/>'), 'in an array and outside'],
  ['an empty array with something', marked('<a m:list="empty">x</a>'), 'that is not empty'],
])('%s is refused', (_what, xml, why) => {
  const reason = refusal(() => bound.decode(utf8(xml)))
  expect(reason).toContain('invalid_argument: malformed XML: ')
  expect(reason).toContain(why)
})

test.each<[string, unknown, string]>([
  ['a Map within', { user: { tags: ['a', new Map()] } }, 'hold user.tags[1]: an instance of Map'],
  ['undefined in an array', { list: [1, undefined] }, 'hold list[1]: undefined'],
  ['half of a surrogate pair', { a: ['\ud800'] }, 'hold a[0]: a text with half'],
  ['a control character', { a: '\u0001' }, 'hold a: a text with a character that XML does not'],
  ['a control character as key', { '\u0001': 1 }, 'a text with a character that XML does not'],
  ['the prototype', JSON.parse('{"a":{"__proto__":1}}'), 'hold a.__proto__: this key'],
  ['an attribute that is a number', { '@id': 7 }, 'hold @id: an attribute that is no text'],
  ['an attribute without a name', { '@a b': 'x' }, 'hold @a b: an attribute whose name'],
  ['an attribute of ours', { '@m:x': 'x' }, 'hold @m:x: an attribute with the prefix "m"'],
  ['our namespace', { '@xmlns:m': 'x' }, 'hold @xmlns:m: an attribute with the prefix'],
  ['a text alone', { '#text': 'x' }, 'hold #text: a text alone'],
  ['an empty text', { '@a': 'x', '#text': '' }, 'hold #text: an empty text'],
  ['text and elements', { '@a': 'x', '#text': 'x', b: 1 }, 'hold #text: text next to elements'],
  ['an object as text', { '@a': 'x', '#text': {} }, 'hold #text: an object or array'],
])('%s is not written', (_what, value, why) => {
  expect(refusal(() => bound.encode(value))).toContain('invalid_argument: XML cannot hold')
  expect(refusal(() => bound.encode(value))).toContain(why)
})

test('a cycle is not written', () => {
  const cycle: unknown[] = []
  cycle.push({ cycle })
  expect(refusal(() => bound.encode(cycle))).toContain('deeper than 200 levels, the limit maxDepth')
})

test.each([1, 200, 300])('%i levels are written and read, and none more', (maxDepth) => {
  const limited = bind(xmlCodec({ maxDepth }))
  for (const wrap of [(value: unknown) => [value], (value: unknown) => ({ a: value })]) {
    let value: unknown = 'x'
    for (let at = 0; at < maxDepth; at++) value = wrap(value)
    expect(limited.decode(limited.encode(value))).toStrictEqual(value)
    const limit = `deeper than ${maxDepth} levels, the limit maxDepth`
    expect(refusal(() => limited.encode(wrap(value)))).toContain(limit)
    const body = `<message>${'<a>'.repeat(maxDepth + 1)}${'</a>'.repeat(maxDepth + 1)}</message>`
    expect(refusal(() => limited.decode(utf8(body)))).toContain(limit)
  }
})

test('very many levels name the limit, and no stack', () => {
  const why = refusal(() => bound.decode(utf8(`<message>${'<a>'.repeat(100_000)}`)))
  expect(why).toContain('nested deeper than 200 levels, the limit maxDepth')
})

test.each<[string, (n: number) => string]>([
  ['many elements', (n) => '<a/>'.repeat(n)],
  ['many names', (n) => Array.from({ length: n }, (_, at) => `<a${at}/>`).join('')],
  ['one long text', (n) => 'ab &amp; '.repeat(n)],
  [
    'many attributes',
    (n) => `<a ${Array.from({ length: n }, (_, at) => `a${at}="1"`).join(' ')}/>`,
  ],
  ['spaces in a tag', (n) => `<a${' '.repeat(10 * n)}b/>`],
  ['comments', (n) => '<!-- x -->'.repeat(n)],
  ['comments that do not end', (n) => '<!-- '.repeat(n)],
  ['CDATA', (n) => '<![CDATA[x]]>'.repeat(n)],
  ['starts of CDATA', (n) => '<![CDATA['.repeat(n)],
])('%s take time in proportion to the length', (_what, make) => {
  const time = (n: number) => {
    const body = utf8(`<message>${make(n)}</message>`)
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
  const value = { bytes: Buffer.from('xabcx').subarray(1, 4) }
  const { bytes } = bound.decode(bound.encode(value)) as Record<string, Uint8Array>
  expect(bytes).toStrictEqual(Uint8Array.of(0x61, 0x62, 0x63))
  expect(bytes?.buffer.byteLength).toBe(3)
})

test('properties that are undefined are left out', () => {
  expect(bound.decode(bound.encode({ a: undefined, b: 'x' }))).toStrictEqual({ b: 'x' })
})

test('keys that mean something to objects are plain keys', () => {
  const value = { constructor: 'Ferrari', toJSON: 'x', hasOwnProperty: '1', prototype: { a: '1' } }
  expect(bound.decode(bound.encode(value))).toStrictEqual(value)
})

test('options are checked by name', () => {
  expect(() => xmlCodec({ maxDepth: 301 })).toThrow('option maxDepth')
  expect(() => xmlCodec({ root: 'a b' })).toThrow('option root: a b')
  expect(() => xmlCodec({ arrays: ['a', '1'] })).toThrow('option arrays: 1')
  expect(() => xmlCodec({ depth: 1 } as never)).toThrow('option depth: unknown')
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
    codecs: [xmlCodec()],
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
