import { codecConformance } from '@micro/conformance/codec'
import { xmlCodec } from '@micro/plugin-codec-xml'

const type = { name: 'a message' }
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const malformed = [
  Uint8Array.of(0x3c, 0xff),
  ...[
    'text',
    '<message>',
    '<message></other>',
    '<message/><message/>',
    '<other/>',
    '<message a="1" a="2"/>',
    '<message a=1/>',
    '<message>&nbsp;</message>',
    '<message>a & b</message>',
    '<message>&#0;</message>',
    '<!DOCTYPE message [<!ENTITY a "b">]><message>&a;</message>',
    '<?php x ?><message/>',
    '<message>a<b/></message>',
    '<message xmlns:m="urn:micro:xml" m:type="number">x</message>',
    '<message>\0</message>',
  ].map(utf8),
]

codecConformance({
  name: 'xml',
  create: () => xmlCodec(),
  foreign: [{ name: 'a descriptor', descriptor: {} }],
  samples: [
    {
      type,
      values: [
        undefined,
        null,
        true,
        0,
        -0,
        1.5e-7,
        2 ** 60,
        2n ** 60n,
        -(10n ** 100n),
        Number.NaN,
        Number.NEGATIVE_INFINITY,
        '',
        ' \r\n\t ',
        'ü 世界 🙂 <&>"\' ]]>',
        'x'.repeat(10_000),
        [],
        {},
        [[], [{}], [[]], ['one']],
        new Uint8Array(1_000).fill(7),
        new Date('1969-12-31T23:59:59.999Z'),
        {
          id: 7,
          tags: ['a', ' b '],
          inner: { '': 1, 'a: b': { bytes: Uint8Array.of(1, 2), none: null } },
          order: { '@id': '"7"\n', '#text': 'note' },
          entry: { 'soap:Body': '', item: [] },
        },
      ],
      refused: [
        () => 1,
        Symbol('s'),
        new Map(),
        new Date(Number.NaN),
        10n ** 1_000n,
        [undefined],
        new (class Greeting {})(),
        '\0',
        '\uffff',
        { '@id': 7 },
        { '@': 'x' },
        { '@m:type': 'x' },
        { '#text': 'x' },
        { '@a': 'x', '#text': '' },
        { '@a': 'x', '#text': 'x', b: 1 },
        { '@a': 'x', '#text': {} },
      ],
      malformed: { 'application/xml': malformed, 'text/xml': malformed },
    },
  ],
  hostile: [
    {
      type,
      contentType: 'application/xml',
      nested: (depth) => utf8(`<message>${'<a>'.repeat(depth)}x${'</a>'.repeat(depth)}</message>`),
      keyed: (key) =>
        utf8(
          `<message xmlns:m="urn:micro:xml"><a><entry m:key="${key}"><polluted m:type="boolean">true</polluted></entry></a></message>`,
        ),
      deep: nest,
      holding: (value) => ({ [value]: [value], a: { '@a': value } }),
    },
    {
      type,
      contentType: 'application/xml',
      keyed: (key) => utf8(`<message><${key}><polluted>true</polluted></${key}></message>`),
    },
  ],
})

function nest(depth: number): unknown {
  let value: unknown = null
  for (let at = 0; at < depth; at++) value = at % 2 === 0 ? [value] : { a: value }
  return value
}
