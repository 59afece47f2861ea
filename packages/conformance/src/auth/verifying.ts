import type { Auth } from '@micro/core/auth'
import { expect } from 'vitest'
import { eventually } from '../kit/eventually.ts'
import { newScope } from '../kit/harness.ts'
import type { Trait } from '../kit/trait.ts'
import { type AuthGiven, ada, expectRefused, minute, openWithToken } from './options.ts'

export function verifying(given: AuthGiven): Trait<Auth> {
  const { obtain, ttl } = given
  return {
    name: 'verifying',
    cases: [
      {
        name: 'gives the account as it was issued for, and until when',
        run: async (harness) => {
          const before = Date.now()
          const { auth, token } = await openWithToken(harness, given)
          const { account, expiresAt = Number.NaN } = await auth.verify(token)
          expect(account).toMatchObject(ada)
          expect(account.issuer).not.toBe('')
          // Some tokens tell whole seconds only.
          expect(expiresAt).toBeGreaterThan(before + minute - 2_000)
          expect(expiresAt).toBeLessThan(Date.now() + minute + 2_000)
        },
      },
      {
        name: 'gives the same again and again, and to many at once',
        run: async (harness) => {
          const { auth, token } = await openWithToken(harness, given)
          const first = await auth.verify(token)
          const all = await Promise.all(Array.from({ length: 50 }, () => auth.verify(token)))
          for (const one of all) expect(one).toEqual(first)
        },
      },
      {
        name: 'gives an account that its receiver may change without others seeing it',
        run: async (harness) => {
          const { auth, token } = await openWithToken(harness, given)
          const { account } = await auth.verify(token)
          try {
            ;(account.scopes as string[]).push('root')
            ;(account.metadata as Record<string, string>)['team'] = 'red'
          } catch {
            // One that is frozen is as good.
          }
          expect((await auth.verify(token)).account).toMatchObject(ada)
        },
      },
      {
        name: 'tells accounts apart',
        run: async (harness) => {
          const auth = await harness.open()
          const { scope } = harness
          const subjects = ['ada', 'bob', 'Ada', 'ada '].map((id) => ({ ...ada, id }))
          for (const subject of subjects) {
            const token = await obtain(auth, subject, { scope, ttl: minute })
            expect((await auth.verify(token)).account.id).toBe(subject.id)
          }
        },
      },
      {
        name: 'another instance on the scope verifies it too; one on another scope refuses it',
        run: async (harness) => {
          const { token } = await openWithToken(harness, given)
          const same = await harness.open()
          expect((await same.verify(token)).account.id).toBe('ada')
          const other = await harness.open(newScope())
          await expectRefused(other.verify(token))
        },
      },
      {
        name: 'refuses a token once it has expired, and not before',
        run: async (harness) => {
          const auth = await harness.open()
          const token = await obtain(auth, ada, { scope: harness.scope, ttl })
          const { expiresAt = Number.NaN } = await auth.verify(token)
          await eventually(async () => {
            const refused = await auth.verify(token).then(
              () => false,
              () => true,
            )
            // Clocks of several machines may be a little apart.
            if (refused) expect(Date.now()).toBeGreaterThan(expiresAt - 1_000)
            expect(refused).toBe(true)
          }, ttl + 2_000)
          await expectRefused(auth.verify(token))
        },
      },
    ],
  }
}
