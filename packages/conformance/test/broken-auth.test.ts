import { authTraits } from '@micro/conformance/auth'
import type { Auth, Tokens, Verified } from '@micro/core/auth'
import { MicroError } from '@micro/core/errors'
import { describe, expect, test } from 'vitest'
import { failuresOf } from './support/failures-of.ts'
import { memoryAuths } from './support/memory-auths.ts'

/** Replaces what `verify` gives. */
function verifying(change: (given: Verified, token: string) => Verified) {
  return (auth: Auth): Partial<Auth> => ({
    verify: async (token, options) => change(await auth.verify(token, options), token),
  })
}

/** Verifies what the forgery was made of. */
function repairing(repair: (token: string) => string) {
  return (auth: Auth): Partial<Auth> => ({
    verify: (token, options) => auth.verify(repair(token), options),
  })
}

const used = new Map<string, Tokens>()
const verified = new Map<string, Verified>()
const spent = new Set<string>()

const broken: readonly (readonly [
  trait: string,
  what: string,
  make: (auth: Auth) => Partial<Auth>,
])[] = [
  ['verifying', 'knows its own scope from no other', () => memoryAuths()('one for all')],
  [
    'verifying',
    'leaves the metadata away',
    verifying(({ account, expiresAt }) => ({ account: { ...account, metadata: {} }, expiresAt })),
  ],
  [
    'verifying',
    'does not tell when it lapses',
    verifying(({ account }) => ({ account, expiresAt: undefined })),
  ],
  [
    'verifying',
    'gives everyone the same account',
    verifying((given) => {
      const first = verified.get('shared') ?? given
      verified.set('shared', first)
      return first
    }),
  ],
  [
    'verifying',
    'trusts for ever what it has verified once',
    (auth) => ({
      async verify(token, options) {
        const known = verified.get(token)
        if (known !== undefined) return known
        verified.set(token, await auth.verify(token, options))
        return auth.verify(token, options)
      },
    }),
  ],
  [
    'forgeries',
    'says what is wrong',
    (auth) => ({
      async verify(token, options) {
        if (token === '') throw new MicroError('unauthenticated', 'the token is empty')
        return auth.verify(token, options)
      },
    }),
  ],
  ['forgeries', 'trims', repairing((token) => token.trim())],
  [
    'forgeries',
    'takes the scheme for part of it',
    repairing((token) => token.replace('Bearer ', '')),
  ],
  ['forgeries', 'does not look at the end', repairing((token) => token.slice(0, 43))],
  [
    'issuing',
    'gives one token to all',
    (auth) => {
      let first: Promise<Tokens> | undefined
      return {
        issue(subject, options) {
          first ??= auth.issue?.(subject, options) as Promise<Tokens>
          return first
        },
      }
    },
  ],
  [
    'issuing',
    'takes any subject',
    (auth) => ({
      issue: (subject, options) =>
        auth.issue?.({ ...subject, id: 'x', type: 'user' }, options) as Promise<Tokens>,
    }),
  ],
  [
    'issuing',
    'gives a refresh token unasked',
    (auth) => ({
      issue: (subject, options) =>
        auth.issue?.(subject, { ...options, refreshTtl: 60_000 }) as Promise<Tokens>,
    }),
  ],
  ['issuing', 'says that it cannot', (auth) => ({ supports: { ...auth.supports, issue: false } })],
  [
    'refreshing',
    'lets a token be used twice',
    (auth) => ({
      async refresh(token, options) {
        const known = used.get(token)
        if (known !== undefined) return known
        const fresh = (await auth.refresh?.(token, options)) as Tokens
        used.set(token, fresh)
        return fresh
      },
    }),
  ],
  [
    'refreshing',
    'refuses the second use and leaves the thief with the first',
    (auth) => ({
      async refresh(token, options) {
        if (spent.has(token)) throw new MicroError('unauthenticated', 'the token is not valid')
        spent.add(token)
        return auth.refresh?.(token, options) as Promise<Tokens>
      },
    }),
  ],
  ['revoking', 'forgets to', () => ({ revoke: async () => undefined })],
  [
    'revoking',
    'minds what is none',
    (auth) => ({
      async revoke(token, options) {
        await auth.verify(token)
        await auth.revoke?.(token, options)
      },
    }),
  ],
  [
    'lifecycle',
    'goes on after close',
    (auth) => ({ close: async () => undefined, health: () => auth.health() }),
  ],
]

describe('an auth that', () => {
  test.each(broken)('%s: %s, is caught', async (name, _what, breakIt) => {
    used.clear()
    verified.clear()
    spent.clear()
    const authOf = memoryAuths()
    const trait = authTraits({ ttl: 100 }).find((one) => one.name === name)
    const create = (scope: string): Auth => {
      const auth = authOf(scope)
      return { ...auth, ...breakIt(auth) }
    }
    expect(await failuresOf(trait, { name: 'broken', create }, 3_000)).not.toEqual([])
  })

  test('works passes', async () => {
    for (const trait of authTraits({ ttl: 100 })) {
      expect(await failuresOf(trait, { name: 'memory', create: memoryAuths() })).toEqual([])
    }
  })
})
