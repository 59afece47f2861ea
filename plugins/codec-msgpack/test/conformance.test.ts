import { codecConformance } from '@micro/conformance/codec'
import { msgpackCodec } from '@micro/plugin-codec-msgpack'

const type = { name: 'a message' }
const bytesOf = (...parts: (number | string | Uint8Array)[]): Uint8Array =>
  new Uint8Array(
    Buffer.concat(
      parts.map((part) => (typeof part === 'number' ? Uint8Array.of(part) : Buffer.from(part))),
    ),
  )
const text = (value: string): Uint8Array => bytesOf(0xa0 | value.length, value)
const malformed = [
  [0xc1],
  [0xc4, 5, 1],
  [0xc6, 0xff, 0xff, 0xff, 0xff],
  [0xdd, 0x7f, 0xff, 0xff, 0xff, 0xc0],
  [0xdf, 0x7f, 0xff, 0xff, 0xff, 0xa1, 0x61, 0xc0],
  [0x81, 0x01, 0x02],
  [0x82, 0xa1, 0x61, 1, 0xa1, 0x61, 2],
  [0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 0x01],
  [0xd6, 0x01, 0, 0, 0, 0],
  [0xc7, 3, 0xff, 0, 0, 0],
  [0xa1, 0xff],
  [0xc0, 0xc0],
].map((bytes) => Uint8Array.from(bytes))

codecConformance({
  name: 'msgpack',
  create: () => msgpackCodec(),
  foreign: [{ name: 'a descriptor', descriptor: {} }],
  samples: [
    {
      type,
      values: [
        undefined,
        null,
        true,
        0,
        -1,
        1.5,
        2 ** 53 - 1,
        -(2n ** 63n),
        2n ** 64n - 1n,
        Number.NaN,
        Number.NEGATIVE_INFINITY,
        'ü 世界 🙂 \u0000',
        'x'.repeat(100_000),
        [],
        {},
        new Uint8Array(1_000).fill(7),
        new Date('1969-12-31T23:59:59.999Z'),
        {
          id: 7,
          tags: ['a', 'b'],
          inner: { at: new Date(1_700_000_000_123), bytes: Uint8Array.of(1, 2), none: null },
        },
        Array.from({ length: 300 }, (_, at) => at * 300),
        Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`key ${at}`, at])),
      ],
      refused: [
        () => 1,
        Symbol('s'),
        new Map(),
        new Set(),
        /x/,
        new Error('x'),
        new Float64Array(2),
        new ArrayBuffer(2),
        new Date(Number.NaN),
        2n ** 64n,
        [undefined],
        new (class Greeting {})(),
      ],
      malformed: {
        'application/msgpack': malformed,
        'application/vnd.msgpack': malformed,
        'application/x-msgpack': malformed,
      },
    },
  ],
  hostile: [
    {
      type,
      contentType: 'application/msgpack',
      nested: (depth) => bytesOf(new Uint8Array(depth).fill(0x91), 0xc0),
      keyed: (key) => bytesOf(0x81, text('a'), 0x81, text(key), 0x81, text('polluted'), 0xc3),
      deep: nest,
      holding: (value) => ({ [value]: [value] }),
    },
    {
      type,
      contentType: 'application/msgpack',
      nested: (depth) => bytesOf(Buffer.alloc(3 * depth, '\x81\xa1a', 'latin1'), 0xc0),
    },
  ],
})

function nest(depth: number): unknown {
  let value: unknown = null
  for (let at = 0; at < depth; at++) value = at % 2 === 0 ? [value] : { a: value }
  return value
}
