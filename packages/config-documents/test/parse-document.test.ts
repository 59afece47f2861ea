import { kindOfMediaType, kindOfName, parseDocument } from '@micro/config-documents'
import { MicroError } from '@micro/core/errors'
import fc from 'fast-check'
import { expect, test } from 'vitest'

test.each([
  ['a.json', 'json'],
  ['a.YAML', 'yaml'],
  ['/etc/app.d/10-a.yml', 'yaml'],
  ['a.toml', 'toml'],
  ['a.json~', undefined],
  ['json', undefined],
  ['a.constructor', undefined],
])('%s is %s', (name, kind) => {
  expect(kindOfName(name)).toBe(kind)
})

test.each([
  ['application/json', 'json'],
  ['application/json; charset=utf-8', 'json'],
  ['application/problem+json', 'json'],
  ['application/yaml', 'yaml'],
  ['application/x-yaml', 'yaml'],
  ['text/vnd.yaml', 'yaml'],
  ['Application/TOML', 'toml'],
  ['text/html', undefined],
  ['application/jsonp', undefined],
  ['', undefined],
])('%s is %s', (type, kind) => {
  expect(kindOfMediaType(type)).toBe(kind)
})

test('values come with their lines', () => {
  for (const [kind, text] of [
    ['yaml', 'a: 1\nb:\n  c: x\n'],
    ['json', '{ "a": 1,\n"b": {\n"c": "x" } }'],
  ] as const) {
    const { values, lines } = parseDocument('app', kind, text)
    expect(values).toEqual({ a: 1, b: { c: 'x' } })
    expect(Object.fromEntries(lines)).toEqual({ a: 1, b: 2, 'b.c': 3 })
  }
  expect(parseDocument('app', 'toml', 'a = 1\n[b]\nc = "x"').values).toEqual({
    a: 1,
    b: { c: 'x' },
  })
})

test.each([
  ['json', '{"a": hunter2}'],
  ['json', ''],
  ['json', '[1]'],
  ['json', '"hunter2"'],
  ['yaml', 'a: [hunter2'],
  ['yaml', 'a: hunter2\na: hunter2'],
  ['yaml', '- hunter2'],
  ['yaml', `a: &a [x]\nb: [${'*a,'.repeat(200)}]`],
  ['yaml', 'a: *missing'],
  ['toml', 'a = hunter2'],
  ['toml', 'a = 1\na = 2'],
] as const)('%s %j is refused with its place and without its text', (kind, text) => {
  let refused: unknown
  try {
    parseDocument('app.conf', kind, text)
  } catch (error) {
    refused = error
  }
  expect(refused).toMatchObject({ code: 'invalid_argument' })
  expect((refused as MicroError).detail).toMatch(/^app\.conf(:\d+)?: /)
  expect((refused as MicroError).detail).not.toContain('hunter2')
})

test('an alias bomb, deep nesting and foreign tags end as an error or as harmless values', () => {
  let bomb = 'a: &a [x, x, x, x, x, x, x, x, x, x]\n'
  for (const [at, name] of [...'bcdefghij'].entries()) {
    const before = 'abcdefghij'[at]
    bomb += `${name}: &${name} [${`*${before}, `.repeat(10)}]\n`
  }
  for (const text of [bomb, '['.repeat(100_000), `${'a: {'.repeat(5_000)}`]) {
    expect(() => parseDocument('app', 'yaml', text)).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }),
    )
  }
  const { values } = parseDocument('app', 'yaml', 'a: !!js/function "x"\nb: !evil x')
  expect(values).toEqual({ a: 'x', b: 'x' })
})

test('any text gives a tree or invalid_argument', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('json' as const, 'yaml' as const, 'toml' as const),
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.json(),
        fc.string({ unit: fc.constantFrom(...'a:-[]{}"\'\n &*!|>#=') }),
      ),
      (kind, text) => {
        try {
          expect(parseDocument('app', kind, text).values).toBeTypeOf('object')
        } catch (error) {
          if (!MicroError.is(error, 'invalid_argument')) throw error
        }
      },
    ),
    { numRuns: 2_000 },
  )
})
