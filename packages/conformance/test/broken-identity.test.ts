import { identityTraits } from '@micro/conformance/identity'
import { MicroError } from '@micro/core/errors'
import type { Identity, TlsSource } from '@micro/core/identity'
import { describe, expect, test } from 'vitest'
import { failuresOf } from './support/failures-of.ts'
import { memoryIdentities } from './support/memory-identities.ts'

const life = 100

/** Replaces members of the TLS source. */
function withTls(change: (tls: TlsSource) => Partial<TlsSource>) {
  return ({ tls }: Identity): Partial<Identity> =>
    tls === undefined
      ? {}
      : { tls: { current: () => tls.current(), watch: () => tls.watch(), ...change(tls) } }
}

const broken: readonly (readonly [
  trait: string,
  what: string,
  make: (identity: Identity) => Partial<Identity>,
])[] = [
  ['tokens', 'asks for a new one each time', () => ({ token: async () => crypto.randomUUID() })],
  [
    'tokens',
    'never renews',
    (identity) => {
      let first: Promise<string> | undefined
      return {
        token(options) {
          first ??= identity.token?.(options) as Promise<string>
          return first
        },
      }
    },
  ],
  [
    'tokens',
    'is never well',
    () => ({ health: () => ({ status: 'degraded' as const, detail: 'so it is' }) }),
  ],
  [
    'tokens',
    'says that it has none',
    (identity) => ({ supports: { ...identity.supports, token: false } }),
  ],
  ['certificates', 'has none', withTls(() => ({ current: () => ({}) }))],
  [
    'certificates',
    'keeps the first',
    withTls((tls) => {
      let first: ReturnType<TlsSource['current']> | undefined
      return {
        current() {
          first ??= tls.current()
          return first
        },
      }
    }),
  ],
  [
    'certificates',
    'tells the first watcher only',
    withTls((tls) => {
      let watched = 0
      return {
        async *watch() {
          watched += 1
          if (watched === 1) yield* tls.watch()
        },
      }
    }),
  ],
  [
    'certificates',
    'leaves its watches open',
    withTls((tls) => ({
      async *watch() {
        yield* tls.watch()
        await new Promise(() => undefined)
      },
    })),
  ],
  [
    'lifecycle',
    'goes on after close',
    (identity) => ({ close: async () => undefined, health: () => identity.health() }),
  ],
]

describe('an identity that', () => {
  test.each(broken)('%s: %s, is caught', async (name, _what, breakIt) => {
    const options = memoryIdentities(life, true)
    const trait = identityTraits(options).find((one) => one.name === name)
    const create = async (scope: string): Promise<Identity> => {
      const identity = await options.create(scope)
      return { ...identity, ...breakIt(identity) }
    }
    expect(await failuresOf(trait, { name: 'broken', create }, 1_500)).not.toEqual([])
  })

  test('cannot say that it is cut off, is caught', async () => {
    const options = memoryIdentities(life, false)
    const [tokens] = identityTraits({
      ...options,
      createCutOff: async (scope) => {
        const identity = await options.create(scope)
        const token = async (): Promise<string> => {
          throw new MicroError('internal', 'something')
        }
        return { ...identity, token }
      },
    })
    expect(await failuresOf(tokens, options)).toHaveLength(1)
  })

  test('works passes', async () => {
    const options = memoryIdentities(life, true)
    for (const trait of identityTraits(options)) {
      expect(await failuresOf(trait, options)).toEqual([])
    }
  })
})
