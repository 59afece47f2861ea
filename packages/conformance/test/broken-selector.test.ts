import { selectorTraits } from '@micro/conformance/selector'
import { type Picker, randomSelector, type Selector } from '@micro/core/selector'
import { describe, expect, test } from 'vitest'
import { failuresOf } from './support/failures-of.ts'

const whole = randomSelector()

/** Replaces what pickers do. */
function picking(
  change: (picker: Picker, routes: Parameters<Selector['prepare']>[0]['routes']) => Picker['pick'],
): Partial<Selector> {
  return {
    prepare: (snapshot) => ({ pick: change(whole.prepare(snapshot), snapshot.routes) }),
  }
}

const broken: readonly (readonly [trait: string, what: string, broken: Partial<Selector>])[] = [
  ['choosing', 'picks the first', picking((_picker, routes) => () => routes[0])],
  [
    'choosing',
    'minds no exclusion',
    picking(
      (picker) =>
        ({ key }) =>
          picker.pick({ key }),
    ),
  ],
  [
    'choosing',
    'minds no ejection',
    picking((_picker, routes) => ({ exclude }) => {
      const left = routes.filter((route) => exclude?.has(route) !== true && route.node.weight > 0)
      return left[Math.floor(Math.random() * left.length)]
    }),
  ],
  [
    'choosing',
    'never picks an ejected one',
    picking((picker) => (call) => {
      const route = picker.pick(call)
      return route?.ejected === true ? undefined : route
    }),
  ],
  [
    'choosing',
    'minds no weight',
    {
      prepare: (snapshot) => {
        const routes = snapshot.routes.map(({ node }) => ({
          ejected: false,
          node: { ...node, weight: 1 },
        }))
        const picker = whole.prepare({ ...snapshot, routes })
        return {
          pick: (call) => {
            const id = picker.pick({ key: call.key })?.node.id
            return snapshot.routes.find(({ node }) => node.id === id)
          },
        }
      },
    },
  ],
  ['choosing', 'says that it minds no weight', { supports: { keys: true, weights: false } }],
  [
    'choosing',
    'prefers one',
    picking((picker, routes) => (call) => {
      const first = picker.pick(call)
      return first === routes[1] && Math.random() < 0.3 ? picker.pick(call) : first
    }),
  ],
  [
    'changing',
    'stays with its first snapshot',
    (() => {
      let first: Picker | undefined
      return {
        prepare(snapshot) {
          first ??= whole.prepare(snapshot)
          return first
        },
      } satisfies Partial<Selector>
    })(),
  ],
  [
    'changing',
    'believes any picker of before',
    { prepare: (snapshot, previous) => previous ?? whole.prepare(snapshot) },
  ],
  [
    'keys',
    'ignores them',
    picking(
      (picker) =>
        ({ exclude }) =>
          picker.pick({ exclude }),
    ),
  ],
  ['keys', 'says that it ignores them', { supports: { keys: false, weights: true } }],
  [
    'keys',
    'divides by the number of nodes',
    picking((picker, routes) => ({ key, exclude }) => {
      if (key === undefined) return picker.pick({ exclude })
      const left = routes.filter((route) => exclude?.has(route) !== true && !route.ejected)
      let hash = 7
      for (let at = 0; at < key.length; at++) hash = (hash * 31 + key.charCodeAt(at)) >>> 0
      return left[hash % left.length]
    }),
  ],
  [
    'keys',
    'spares one',
    picking((picker, routes) => ({ key, exclude }) => {
      const first = picker.pick({ key, exclude })
      return first === routes[1] && key !== undefined && key.length % 2 === 0
        ? picker.pick({ key: `${key}!`, exclude })
        : first
    }),
  ],
  [
    'keys',
    'stays with the first that took a key',
    (() => {
      const homes = new Map<string, string>()
      return {
        prepare(snapshot, previous) {
          const picker = whole.prepare(snapshot)
          if (previous === undefined) homes.clear()
          return {
            pick({ key, exclude }) {
              const home = snapshot.routes.find(({ node }) => node.id === homes.get(key ?? ''))
              if (home !== undefined && exclude === undefined && !home.ejected) return home
              const route = picker.pick({ key, exclude })
              if (key !== undefined && route !== undefined) homes.set(key, route.node.id)
              return route
            },
          }
        },
      } satisfies Partial<Selector>
    })(),
  ],
  [
    'keys',
    'has a salt of its own',
    {
      prepare(snapshot, previous) {
        const picker = whole.prepare(snapshot, previous)
        const salt = String(Math.random())
        return { pick: ({ key, exclude }) => picker.pick({ key: key && salt + key, exclude }) }
      },
    },
  ],
  ['lifecycle', 'has no name', { name: '' }],
]

const caught = new Map<string, Set<string>>()

describe('a selector that', () => {
  test.each(broken)('%s: %s, is caught', async (name, _what, change) => {
    const trait = selectorTraits.find((one) => one.name === name)
    const create = (): Selector => ({ ...whole, ...change })
    const failures = await failuresOf(trait, { name: 'broken', create })
    const known = caught.get(name) ?? new Set()
    caught.set(name, known)
    for (const failure of failures) known.add(failure)
    expect(failures).not.toEqual([])
  })
})

// The cases of `lifecycle` are the kit's own, and broken there.
test.each(selectorTraits.filter(({ name }) => name !== 'lifecycle'))(
  '$name: each case catches one of them',
  ({ name, cases }) => {
    const blind = cases.map((one) => one.name).filter((one) => caught.get(name)?.has(one) !== true)
    expect(blind).toEqual([])
  },
)
