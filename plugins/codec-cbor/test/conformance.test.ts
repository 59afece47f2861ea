import { codecConformance } from '@micro/conformance/codec'
import { cborCodec } from '@micro/plugin-codec-cbor'

const type = { name: 'a message' }
const bytesOf = (...parts: (number | string | Uint8Array)[]): Uint8Array =>
  new Uint8Array(
    Buffer.concat(
      parts.map((part) => (typeof part === 'number' ? Uint8Array.of(part) : Buffer.from(part))),
    ),
  )
const text = (value: string): Uint8Array => bytesOf(0x60 | value.length, value)

codecConformance({
  name: 'cbor',
  create: () => cborCodec(),
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
        -(2n ** 64n),
        2n ** 64n - 1n,
        2n ** 200n,
        Number.NaN,
        Number.NEGATIVE_INFINITY,
        'ü 世界 🙂 \u0000',
        'x'.repeat(100_000),
        [],
        {},
        [undefined, { a: undefined }],
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
        2n ** 5_000n,
        new (class Greeting {})(),
      ],
      malformed: {
        'application/cbor': [
          [0xff],
          [0x45, 1],
          [0x5a, 0xff, 0xff, 0xff, 0xff],
          [0x9a, 0x7f, 0xff, 0xff, 0xff, 0xf6],
          [0xba, 0x7f, 0xff, 0xff, 0xff, 0x61, 0x61, 0xf6],
          [0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
          [0xa1, 0x01, 0x02],
          [0xa2, 0x61, 0x61, 1, 0x61, 0x61, 2],
          [0xd9, 0xdf, 0xff, 0x83, 0x19, 0xe0, 0, 0x81, 0x61, 0x61, 1],
          [0xd8, 0x1c, 0x80],
          [0xc1, 0x61, 0x61],
          [0x61, 0xff],
          [0xf6, 0xf6],
        ].map((bytes) => Uint8Array.from(bytes)),
      },
    },
  ],
  hostile: [
    {
      type,
      contentType: 'application/cbor',
      nested: (depth) => bytesOf(new Uint8Array(depth).fill(0x81), 0xf6),
      keyed: (key) => bytesOf(0xa1, text('a'), 0xa1, text(key), 0xa1, text('polluted'), 0xf5),
      deep: nest,
      holding: (value) => ({ [value]: [value] }),
    },
    {
      type,
      contentType: 'application/cbor',
      nested: (depth) => bytesOf(Buffer.alloc(3 * depth, '\xa1aa', 'latin1'), 0xf6),
    },
    {
      type,
      contentType: 'application/cbor',
      nested: (depth) =>
        bytesOf(new Uint8Array(depth).fill(0x9f), new Uint8Array(depth).fill(0xff)),
    },
  ],
})

function nest(depth: number): unknown {
  let value: unknown = null
  for (let at = 0; at < depth; at++) value = at % 2 === 0 ? [value] : { a: value }
  return value
}
