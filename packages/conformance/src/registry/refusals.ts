import type { Node, Registry } from '@micro/core/registry'
import { expect } from 'vitest'
import { expectCode } from '../kit/lifecycle.ts'
import type { Case, Trait } from '../kit/trait.ts'
import { nodeOf } from './nodes.ts'

type Field = keyof Node

/** A value of a type that TypeScript would not let pass, as plain JavaScript gives it. */
const wrong = (field: Field, value: unknown): Node => ({ ...nodeOf('a'), [field]: value })

const malformed: readonly (readonly [field: Field, what: string, node: Node])[] = [
  ['schema', 'of the future', wrong('schema', 2)],
  ['id', 'empty', nodeOf('')],
  ['id', 'with a slash', nodeOf('a/b')],
  ['id', 'that leaves its place', nodeOf('..')],
  ['id', 'with a space', nodeOf('a b')],
  ['id', 'with a line break', nodeOf('a\nb')],
  ['id', 'with a colon', nodeOf('a:b')],
  ['id', 'beyond ASCII', nodeOf('größe')],
  ['id', 'of 256 characters', nodeOf('a'.repeat(256))],
  ['id', 'that is a number', wrong('id', 7)],
  ['service', 'empty', nodeOf('a', { service: '' })],
  ['service', 'with a slash', nodeOf('a', { service: 'a/b' })],
  ['service', 'that is a wildcard', nodeOf('a', { service: '*' })],
  ['service', 'of 256 characters', nodeOf('a', { service: 'a'.repeat(256) })],
  ['service', 'missing', wrong('service', undefined)],
  ['version', 'that is a number', wrong('version', 1)],
  ['weight', 'below 0', nodeOf('a', { weight: -1 })],
  ['weight', 'that is no number', nodeOf('a', { weight: Number.NaN })],
  ['weight', 'without bound', nodeOf('a', { weight: Number.POSITIVE_INFINITY })],
  ['weight', 'above 1,000,000', nodeOf('a', { weight: 1_000_001 })],
  ['weight', 'that is a string', wrong('weight', '1')],
  ['zone', 'that is a number', wrong('zone', 1)],
  ['labels', 'missing', wrong('labels', undefined)],
  ['labels', 'that are a list', wrong('labels', ['a'])],
  ['labels', 'with a number', wrong('labels', { tier: 1 })],
  ['endpoints', 'missing', wrong('endpoints', undefined)],
  ['endpoints', 'without a url', wrong('endpoints', [{ transport: 'http', contentTypes: [] }])],
  ['endpoints', 'without content types', wrong('endpoints', [{ transport: 'http', url: 'http:' }])],
  [
    'methods',
    'of an unknown kind',
    wrong('methods', [{ name: 'a', kind: 'both', idempotency: 'unknown' }]),
  ],
  ['methods', 'without idempotency', wrong('methods', [{ name: 'a', kind: 'unary' }])],
]

/** Mixed versions of everything read a record, so a bad one must not get in. */
export const refusals: Trait<Registry> = {
  name: 'refusals',
  cases: [
    ...malformed.map(
      ([field, what, node]): Case<Registry> => ({
        name: `${field} ${what} is refused, by name, and nothing is registered`,
        run: async (harness) => {
          const registry = await harness.open()
          const error = await expectCode(registry.register(node), 'invalid_argument')
          expect(error.detail).toMatch(new RegExp(`\\b${field}\\b`))
          expect(await registry.list()).toEqual([])
        },
      }),
    ),
    {
      name: 'a refused change leaves the record as it was',
      run: async (harness) => {
        const registry = await harness.open()
        await registry.register(nodeOf('a'))
        await expectCode(registry.register(nodeOf('a', { weight: -1 })), 'invalid_argument')
        expect(await registry.list()).toEqual([nodeOf('a')])
      },
    },
  ],
}
