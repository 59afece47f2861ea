import type { Auth, Tokens } from '@micro/core/auth'
import { expect } from 'vitest'
import { eventually } from '../kit/eventually.ts'
import type { Harness } from '../kit/harness.ts'
import { newScope } from '../kit/harness.ts'
import type { Trait } from '../kit/trait.ts'
import { type AuthGiven, ada, expectRefused, minute, refusals } from './options.ts'

type Refreshable = Tokens & { readonly refreshToken: string }

const supported = (auth: Auth): boolean => auth.supports.refresh

const issue = async (auth: Auth): Promise<Refreshable> => {
  const issued = await auth.issue?.(ada, { ttl: minute, refreshTtl: minute })
  expect(issued?.refreshToken, 'a refresh token').toBeTypeOf('string')
  return issued as Refreshable
}
const refresh = async (auth: Auth, token: string): Promise<Refreshable> => {
  const refreshed = await auth.refresh?.(token)
  expect(refreshed?.refreshToken, 'a refresh token').toBeTypeOf('string')
  return refreshed as Refreshable
}
const openTwo = async (harness: Harness<Auth>): Promise<readonly [Auth, Auth]> => [
  await harness.open(),
  await harness.open(),
]

export function refreshing({ ttl }: AuthGiven): Trait<Auth> {
  return {
    name: 'refreshing',
    cases: [
      ...refusals('refresh', (auth, options) => auth.refresh?.('x', options)),
      {
        name: 'gives new tokens for the same account, and those can be refreshed too',
        supported,
        absent: async (harness) => {
          const auth = await harness.open()
          expect(auth.refresh).toBeUndefined()
          const issued = await auth.issue?.(ada)
          expect(issued?.refreshToken).toBeUndefined()
        },
        run: async (harness) => {
          const auth = await harness.open()
          const first = await issue(auth)
          const second = await refresh(auth, first.refreshToken)
          const third = await refresh(auth, second.refreshToken)
          for (const { accessToken } of [second, third]) {
            expect((await auth.verify(accessToken)).account).toMatchObject(ada)
          }
          const tokens = [first, second, third].flatMap((one) => [
            one.accessToken,
            one.refreshToken,
          ])
          expect(new Set(tokens).size).toBe(6)
        },
      },
      {
        name: 'another instance can refresh what this one has issued',
        supported,
        run: async (harness) => {
          const [one, other] = await openTwo(harness)
          const { accessToken } = await refresh(other, (await issue(one)).refreshToken)
          expect((await one.verify(accessToken)).account).toMatchObject(ada)
        },
      },
      {
        name: 'a refresh token that is used twice ends all that came of its issue',
        supported,
        run: async (harness) => {
          const [one, other] = await openTwo(harness)
          const first = await issue(one)
          const bystander = await issue(one)
          const second = await refresh(one, first.refreshToken)
          await expectRefused(other.refresh?.(first.refreshToken) as Promise<Tokens>)
          await expectRefused(one.refresh?.(second.refreshToken) as Promise<Tokens>)
          await eventually(() => expectRefused(one.verify(second.accessToken)))
          expect((await one.verify(bystander.accessToken)).account.id).toBe('ada')
          await refresh(one, bystander.refreshToken)
        },
      },
      {
        name: 'of many that use one at once, at two instances, at most one gets tokens',
        supported,
        run: async (harness) => {
          const pair = await openTwo(harness)
          const { refreshToken } = await issue(pair[0])
          const outcomes = await Promise.allSettled(
            Array.from({ length: 10 }, async (_, at) => pair[at % 2]?.refresh?.(refreshToken)),
          )
          expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBeLessThan(2)
        },
      },
      {
        name: 'an access token refreshes nothing, and a refresh token proves nothing',
        supported,
        run: async (harness) => {
          const auth = await harness.open()
          const { accessToken, refreshToken } = await issue(auth)
          await expectRefused(auth.refresh?.(accessToken) as Promise<Tokens>)
          await expectRefused(auth.verify(refreshToken))
          expect((await auth.verify(accessToken)).account.id).toBe('ada')
        },
      },
      {
        name: 'refuses what is none, and what is of another scope',
        supported,
        run: async (harness) => {
          const auth = await harness.open()
          const { refreshToken } = await issue(auth)
          const other = await harness.open(newScope())
          await expectRefused(other.refresh?.(refreshToken) as Promise<Tokens>)
          for (const none of ['', 'x', `${refreshToken}A`, refreshToken.slice(1)]) {
            await expectRefused(auth.refresh?.(none) as Promise<Tokens>)
          }
          await refresh(auth, refreshToken)
        },
      },
      {
        name: 'refuses one that has expired',
        supported,
        run: async (harness) => {
          const auth = await harness.open()
          const issued = await auth.issue?.(ada, { ttl: minute, refreshTtl: ttl })
          const late = (issued?.refreshExpiresAt ?? Number.NaN) - Date.now()
          expect(late).toBeLessThan(ttl + 2_000)
          // The one event here is the clock's.
          await new Promise((resolve) => setTimeout(resolve, late + 1_100))
          await expectRefused(auth.refresh?.(issued?.refreshToken ?? '') as Promise<Tokens>)
        },
      },
    ],
  }
}
