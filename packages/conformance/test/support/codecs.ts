import type { CodecSuiteOptions } from '@micro/conformance/codec'
import { bytesCodec, jsonCodec, textCodec } from '@micro/core/codec'

const type = { name: 'input of x' }
const foreign = [{ name: 'input of y', descriptor: { kind: 'message' } }]
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const notUtf8 = Uint8Array.of(0x22, 0xff, 0x22)

function cycle(): unknown {
  const tree: Record<string, unknown> = {}
  tree['self'] = tree
  return tree
}

function nest(depth: number, around: (inner: unknown) => unknown): unknown {
  let tree: unknown = 1
  for (let at = 0; at < depth; at++) tree = around(tree)
  return tree
}

export const jsonSamples: CodecSuiteOptions = {
  name: 'json',
  create: () => jsonCodec(),
  foreign,
  samples: [
    {
      type,
      values: [
        undefined,
        null,
        true,
        0,
        -1.5e300,
        '',
        'ü 世界 🙂 \u0000 \\ "',
        { '\ud800': ['\udc00 half'] },
        [],
        [1, [2, [3]]],
        {},
        { a: { b: [{ c: null }] }, 'with space': 'x', constructor: 'a name' },
        { text: 'x'.repeat(100_000) },
        Array.from({ length: 10_000 }, (_, at) => at),
      ],
      refused: [
        cycle(),
        1n,
        { a: 1n },
        Symbol('x'),
        () => 1,
        { toJSON: () => cycle() },
        {
          toJSON() {
            throw undefined
          },
        },
      ],
      malformed: {
        'application/json': [
          ...['{', '{"a":}', '[1,]', 'nul', "'a'", '{"a":1} x', '\u00a0', '01', '"\n"'].map(utf8),
          notUtf8,
        ],
      },
    },
  ],
  hostile: [
    {
      type,
      contentType: 'application/json',
      nested: (depth) => utf8('['.repeat(depth) + ']'.repeat(depth)),
      keyed: (key) => utf8(`{"${key}":{"prototype":{"polluted":true},"polluted":true}}`),
      deep: (depth) => nest(depth, (inner) => [inner]),
      holding: (text) => ({ [text]: text }),
    },
    {
      type,
      contentType: 'application/json',
      nested: (depth) => utf8(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`),
      keyed: (key) => utf8(`{"a":{"${key.replace('_', '\\u005f')}":{"polluted":true}}}`),
      deep: (depth) => nest(depth, (inner) => ({ a: inner })),
    },
  ],
}

export const textSamples: CodecSuiteOptions = {
  name: 'text',
  create: () => textCodec(),
  foreign,
  samples: [
    {
      type,
      values: ['', 'ü 世界 🙂 \u0000', '\ufeffwith a mark', 'x'.repeat(1 << 20)],
      refused: [undefined, null, 1, {}, new Uint8Array(), '\ud800'],
      malformed: { 'text/plain': [notUtf8, Uint8Array.of(0xc3), Uint8Array.of(0xed, 0xa0, 0x80)] },
    },
  ],
  hostile: [{ type, contentType: 'text/plain', holding: (text) => text }],
}

export const bytesSamples: CodecSuiteOptions = {
  name: 'bytes',
  create: () => bytesCodec(),
  foreign,
  samples: [
    {
      type,
      values: [new Uint8Array(), Uint8Array.from({ length: 256 }, (_, at) => at)],
      refused: [undefined, null, 'text', [1, 2], new ArrayBuffer(1)],
    },
  ],
}
