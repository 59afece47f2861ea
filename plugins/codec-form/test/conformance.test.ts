import { codecConformance } from '@micro/conformance/codec'
import { formCodec } from '@micro/plugin-codec-form'

const type = { name: 'a message' }
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const part = (name: string, value: string): string =>
  `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
const nested = (depth: number): string => `a${'[a]'.repeat(depth - 1)}`
const multipart = { type, contentType: 'multipart/form-data' }
const urlEncoded = { type, contentType: 'application/x-www-form-urlencoded' }

codecConformance({
  name: 'form',
  create: () => formCodec(),
  foreign: [{ name: 'a descriptor', descriptor: {} }],
  samples: [
    {
      type,
      values: [
        undefined,
        { a: '' },
        { '': 'x' },
        { text: 'ü 世界 🙂 \u0000 \r\n & = + % %41 ; "', 'a b+"%\r\n': '\ufeffx\0' },
        { long: 'x'.repeat(100_000) },
        {
          one: ['x'],
          many: ['', 'b', 'b'],
          user: { name: 'Ada', tags: ['x', 'y'], 0: { 1: 'z' } },
        },
      ],
      refused: [
        null,
        'text',
        ['x'],
        { a: 1 },
        { a: true },
        { a: null },
        { a: 1n },
        { a: new Date() },
        { a: new Uint8Array(1) },
        { a: [] },
        { a: {} },
        { a: [['x']] },
        { a: [{ b: 'x' }] },
        { 'a[b]': 'x' },
        { a: { '': 'x' } },
        { a: () => 1 },
      ],
      malformed: {
        'application/x-www-form-urlencoded': [
          Uint8Array.of(0x61, 0x3d, 0xff),
          ...[
            'a=%',
            'a=%ff',
            '%zz=1',
            'a[=1',
            'a[]b=1',
            'a]=1',
            'a=1&a[b]=1',
            '__proto__[x]=1',
          ].map(utf8),
        ],
        'multipart/form-data': [
          'a=1',
          '--b',
          '--b\r\n',
          '--b\r\n--b--',
          `${part('a', '1')}--b`,
          part('a', '1'),
          `${part('a', '1')}--b--\r\nmore`,
          `${part('a', '1').replace('\r\n\r\n', '\r\n')}--b--\r\n`,
          `${part('__proto__', '1')}--b--\r\n`,
        ].map(utf8),
      },
    },
  ],
  hostile: [
    {
      ...urlEncoded,
      nested: (depth) => utf8(`${nested(depth)}=1`),
      keyed: (key) => utf8(`a[${key}][polluted]=true&${key}[polluted]=true`),
      deep: (depth) => nest(depth),
      holding: (text) => ({ [text]: text }),
    },
    {
      ...multipart,
      nested: (depth) => utf8(`${part(nested(depth), '1')}--b--\r\n`),
      keyed: (key) =>
        utf8(`${part(`a[${key}][polluted]`, 'true')}${part(`${key}[polluted]`, 'true')}--b--\r\n`),
      deep: (depth) => nest(depth),
      holding: (text) => ({ [text]: text }),
    },
  ],
})

function nest(depth: number): unknown {
  let value: unknown = 'x'
  for (let at = 0; at < depth; at++) value = { a: value }
  return value
}
