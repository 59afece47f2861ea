import type { Auth, IssueOptions, Subject } from '@micro/core/auth'
import { expect } from 'vitest'
import { expectCode } from '../kit/lifecycle.ts'
import type { Case, Trait } from '../kit/trait.ts'
import { ada, minute, refusals } from './options.ts'

const supported = (auth: Auth): boolean => auth.supports.issue

const bad: readonly (readonly [field: string, subject: Subject, options: IssueOptions])[] = [
  ['id', { ...ada, id: '' }, {}],
  ['id', { ...ada, id: 'a\nb' }, {}],
  ['id', { ...ada, id: 'a'.repeat(257) }, {}],
  ['type', { ...ada, type: '' }, {}],
  ['type', { ...ada, type: 'User' }, {}],
  ['scopes[1]', { ...ada, scopes: ['a', 'b c'] }, {}],
  ['scopes[0]', { ...ada, scopes: ['*'] }, {}],
  ['scopes', { ...ada, scopes: Array.from({ length: 101 }, (_, at) => `s${at}`) }, {}],
  ['metadata', { ...ada, metadata: { a: 'x'.repeat(5_000) } }, {}],
  ['ttl', ada, { ttl: 0 }],
  ['ttl', ada, { ttl: Number.NaN }],
  ['refreshTtl', ada, { refreshTtl: -1 }],
]

export const issuing: Trait<Auth> = {
  name: 'issuing',
  cases: [
    {
      name: 'each token is another, and all of them hold',
      supported,
      absent: async (harness) => {
        expect((await harness.open()).issue).toBeUndefined()
      },
      run: async (harness) => {
        const auth = await harness.open()
        const issued = await Promise.all(
          Array.from({ length: 20 }, () => auth.issue?.(ada, { ttl: minute })),
        )
        const tokens = issued.flatMap((one) => [one?.accessToken ?? '', one?.refreshToken ?? ''])
        expect(new Set(tokens.filter((token) => token !== '')).size).toBe(
          auth.supports.refresh ? 40 : 20,
        )
        for (const one of issued) {
          expect((await auth.verify(one?.accessToken ?? '')).account).toMatchObject(ada)
        }
      },
    },
    {
      name: 'says when they expire',
      supported,
      run: async (harness) => {
        const auth = await harness.open()
        const before = Date.now()
        const issued = await auth.issue?.(ada, { ttl: minute, refreshTtl: 2 * minute })
        const after = Date.now()
        expect(issued?.expiresAt).toBeGreaterThan(before + minute - 2_000)
        expect(issued?.expiresAt).toBeLessThan(after + minute + 2_000)
        if (!auth.supports.refresh) return
        expect(issued?.refreshExpiresAt).toBeGreaterThan(before + 2 * minute - 2_000)
        expect(issued?.refreshExpiresAt).toBeLessThan(after + 2 * minute + 2_000)
      },
    },
    {
      name: 'gives no refresh token where none is wanted',
      supported,
      run: async (harness) => {
        const auth = await harness.open()
        const issued = await auth.issue?.(ada, { refreshTtl: false })
        expect(issued?.refreshToken).toBeUndefined()
        expect(issued?.refreshExpiresAt).toBeUndefined()
      },
    },
    {
      name: 'keeps nothing of the subject that its giver changes later',
      supported,
      run: async (harness) => {
        const auth = await harness.open()
        const scopes = ['a']
        const issued = await auth.issue?.({ ...ada, scopes }, { ttl: minute })
        scopes.push('root')
        expect((await auth.verify(issued?.accessToken ?? '')).account.scopes).toEqual(['a'])
      },
    },
    ...refusals('issue', (auth, options) => auth.issue?.(ada, options)),
    ...bad.map(
      ([field, subject, options], at): Case<Auth> => ({
        name: `refuses a bad ${field}, naming it (${at + 1})`,
        supported,
        run: async (harness) => {
          const auth = await harness.open()
          const issue = async () => auth.issue?.(subject, options)
          expect((await expectCode(issue(), 'invalid_argument')).detail).toContain(`${field}:`)
        },
      }),
    ),
  ],
}
