import type { Auth } from '@micro/core/auth'
import { type OidcAuthOptions, oidcAuth } from '@micro/plugin-auth-oidc'
import { afterEach, expect } from 'vitest'
import { audience } from './sign.ts'

/** What a test opens is closed when it ends, the last first. */
export function usePerTest() {
  const undo: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const one of undo.splice(0).reverse()) await one()
  })
  return {
    undo,
    open(issuer: string, options: Partial<OidcAuthOptions> = {}): Auth {
      const auth = oidcAuth({ issuer, audience, ...options })
      undo.push(() => auth.close())
      return auth
    },
    async start<T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> {
      const started = await starting
      undo.push(() => started.stop())
      return started
    },
  }
}

/** Refused, in the words in which all are. */
export async function expectRefused(work: Promise<unknown>): Promise<void> {
  await expect(work).rejects.toMatchObject({
    code: 'unauthenticated',
    detail: 'the token is not valid',
    details: [],
  })
}

export const idOf = async (auth: Auth, token: string): Promise<string> =>
  (await auth.verify(token)).account.id
