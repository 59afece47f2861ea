import type { Auth, Tokens } from '@micro/core/auth'
import { expect } from 'vitest'
import { eventually } from '../kit/eventually.ts'
import type { Trait } from '../kit/trait.ts'
import { type AuthGiven, ada, expectRefused, minute, refusals } from './options.ts'

const supported = (auth: Auth): boolean => auth.supports.revoke

export function revoking({ obtain }: AuthGiven): Trait<Auth> {
  return {
    name: 'revoking',
    cases: [
      ...refusals('revoke', (auth, options) => auth.revoke?.('x', options)),
      {
        name: 'ends a token at once here, soon elsewhere, and no other',
        supported,
        absent: async (harness) => {
          expect((await harness.open()).revoke).toBeUndefined()
        },
        run: async (harness) => {
          const auth = await harness.open()
          const other = await harness.open()
          const given = { scope: harness.scope, ttl: minute }
          const token = await obtain(auth, ada, given)
          const bystander = await obtain(auth, ada, given)
          await other.verify(token)
          await auth.revoke?.(token)
          await expectRefused(auth.verify(token))
          await eventually(() => expectRefused(other.verify(token)))
          expect((await auth.verify(bystander)).account.id).toBe('ada')
          expect((await other.verify(bystander)).account.id).toBe('ada')
        },
      },
      {
        name: 'with a refresh token ends all that came of its issue',
        supported: (auth) => supported(auth) && auth.supports.refresh,
        run: async (harness) => {
          const auth = await harness.open()
          const first = await auth.issue?.(ada, { ttl: minute })
          const second = await auth.refresh?.(first?.refreshToken ?? '')
          await auth.revoke?.(second?.refreshToken ?? '')
          for (const { accessToken } of [first, second] as Tokens[]) {
            await expectRefused(auth.verify(accessToken))
          }
          await expectRefused(auth.refresh?.(second?.refreshToken ?? '') as Promise<Tokens>)
        },
      },
      {
        name: 'of what is no token is no error, and neither is a second time',
        supported,
        run: async (harness) => {
          const auth = await harness.open()
          const token = await obtain(auth, ada, { scope: harness.scope, ttl: minute })
          for (const one of ['', 'x', `${token}A`, token, token]) await auth.revoke?.(one)
          await expectRefused(auth.verify(token))
        },
      },
    ],
  }
}
