import type { Auth, Subject, Verified } from '@micro/core/auth'
import type { AbortOptions } from '@micro/core/component'
import { expect } from 'vitest'
import type { Harness, SuiteOptions } from '../kit/harness.ts'
import { expectCode, outcomeOf } from '../kit/lifecycle.ts'
import type { Case } from '../kit/trait.ts'

/** How the suite comes by a token. */
export type Obtain = (
  auth: Auth,
  subject: Subject,
  given: { readonly scope: string; readonly ttl: number },
) => Promise<string>

export interface AuthSuiteOptions extends SuiteOptions<Auth> {
  /** For one that issues none: where its tokens come from. @default `auth.issue` */
  readonly obtain?: Obtain
  /** Milliseconds: the shortest life of a token that the backend keeps well. @default 300 */
  readonly ttl?: number
}

/** What the traits need of the options. */
export interface AuthGiven {
  readonly obtain: Obtain
  readonly ttl: number
}

export const ada: Subject = {
  id: 'ada',
  type: 'user',
  scopes: ['orders:read', 'admin'],
  metadata: { team: 'blue', motto: 'grüß 世界' },
}

export const minute = 60_000

export const issueIt: Obtain = async (auth, subject, { ttl }) => {
  if (auth.issue === undefined) {
    throw new Error('the auth issues no tokens: give the suite `obtain`')
  }
  return (await auth.issue(subject, { ttl })).accessToken
}

/** A token of `ada` that lives for a minute, and an auth to verify it with. */
export async function openWithToken(
  harness: Harness<Auth>,
  { obtain }: AuthGiven,
): Promise<{ auth: Auth; token: string }> {
  const auth = await harness.open()
  return { auth, token: await obtain(auth, ada, { scope: harness.scope, ttl: minute }) }
}

/** Refused, and in the words in which all are. */
export async function expectRefused(work: Promise<Verified | unknown>): Promise<void> {
  const error = await expectCode(work, 'unauthenticated')
  expect(error.detail).toBe('the token is not valid')
  expect(error.details).toEqual([])
}

/** A method that not every auth has is refused as all are, when its auth is closed or its caller gone. */
export function refusals(
  name: 'issue' | 'refresh' | 'revoke',
  call: (auth: Auth, options: AbortOptions) => Promise<unknown> | undefined,
): Case<Auth>[] {
  const supported = (auth: Auth): boolean => auth.supports[name]
  return [
    {
      name: `${name} is refused after close`,
      supported,
      run: async (harness) => {
        const auth = await harness.open()
        await auth.connect()
        await auth.close()
        await expectCode((async () => call(auth, {}))(), 'failed_precondition')
      },
    },
    {
      name: `${name} rejects with the reason of a signal that has been aborted`,
      supported,
      run: async (harness) => {
        const auth = await harness.open()
        const reason = new Error('mine')
        const work = async () => call(auth, { signal: AbortSignal.abort(reason) })
        expect(await outcomeOf(work())).toBe(reason)
      },
    },
  ]
}
