import { codecConformance } from '@micro/conformance/codec'
import { yamlCodec } from '@micro/plugin-codec-yaml'

const type = { name: 'a message' }
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const malformed = [
  Uint8Array.of(0x61, 0xff),
  ...[
    '[1, 2',
    '{a: 1, a: 2}',
    'a: 1\na: 2',
    '"abc',
    'a: b: c',
    '\tx: 1',
    '&a [*a]',
    '*a',
    '!!js/function x',
    '!!timestamp 2001-01-01',
    '!!binary "%"',
    '--- 1\n--- 2\n',
    '%YAML 1.1\n--- yes',
    '? [a]\n: 1',
    '1e999',
    '\0',
  ].map(utf8),
]

codecConformance({
  name: 'yaml',
  create: () => yamlCodec(),
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
        1.5,
        2 ** 53 - 1,
        2 ** 60,
        2n ** 60n,
        -(10n ** 100n),
        Number.NaN,
        Number.NEGATIVE_INFINITY,
        '',
        'null',
        'yes',
        '2001-01-01',
        'ü 世界 🙂 \u0000',
        '\ufefftext',
        ' two lines \n  and spaces\n\n',
        'x'.repeat(10_000),
        [],
        {},
        [[], [{}], [[]]],
        new Uint8Array(1_000).fill(7),
        {
          id: 7,
          tags: ['a', '- b', '# c'],
          inner: { '': 1, 'a: b': { bytes: Uint8Array.of(1, 2), none: null } },
        },
      ],
      refused: [
        () => 1,
        Symbol('s'),
        new Map(),
        new Set(),
        new Date(),
        new Float64Array(2),
        10n ** 1_000n,
        [undefined],
        new (class Greeting {})(),
      ],
      malformed: {
        'application/yaml': malformed,
        'application/x-yaml': malformed,
        'text/yaml': malformed,
      },
    },
  ],
  hostile: [
    {
      type,
      contentType: 'application/yaml',
      nested: (depth) => utf8('['.repeat(depth) + ']'.repeat(depth)),
      keyed: (key) => utf8(`a:\n  ${key}:\n    polluted: true\n${key}:\n  polluted: true\n`),
      deep: nest,
      holding: (value) => ({ [value]: [value] }),
    },
    { type, contentType: 'application/yaml', nested: (depth) => utf8(`${'- '.repeat(depth)}x`) },
    {
      type,
      contentType: 'application/yaml',
      nested: (depth) => utf8(`${'{a: '.repeat(depth)}1${'}'.repeat(depth)}`),
    },
  ],
})

function nest(depth: number): unknown {
  let value: unknown = null
  for (let at = 0; at < depth; at++) value = at % 2 === 0 ? [value] : { a: value }
  return value
}
