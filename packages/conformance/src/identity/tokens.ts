import type { Identity } from '@micro/core/identity'
import { expect } from 'vitest'
import { eventually } from '../kit/eventually.ts'
import { expectCode } from '../kit/lifecycle.ts'
import type { Case, Trait } from '../kit/trait.ts'
import type { IdentitySuiteOptions } from './options.ts'

const supported = (identity: Identity): boolean => identity.supports.token

export function tokens({ life, verify, createCutOff }: IdentitySuiteOptions): Trait<Identity> {
  const verified = async (token: string | undefined, scope: string): Promise<void> => {
    expect(token).toBeTypeOf('string')
    if (verify !== undefined) await verify(token ?? '', scope)
  }
  return {
    name: 'tokens',
    cases: [
      {
        name: 'gives one that is valid, the same for a while, to all who ask at once',
        supported,
        absent: async (harness) => {
          expect((await harness.open()).token).toBeUndefined()
        },
        run: async (harness) => {
          const identity = await harness.open()
          const asked = await Promise.all(Array.from({ length: 20 }, () => identity.token?.()))
          expect(new Set(asked).size).toBe(1)
          await verified(asked[0], harness.scope)
        },
      },
      {
        name: 'renews it by itself while the old one still holds, again and again',
        supported,
        run: async (harness) => {
          const identity = await harness.open()
          let last = await identity.token?.()
          for (let round = 0; round < 3; round++) {
            let renewed: string | undefined
            await eventually(
              async () => {
                renewed = await identity.token?.()
                await verified(renewed, harness.scope)
                expect(renewed).not.toBe(last)
              },
              2 * life + 2_000,
            )
            last = renewed
          }
        },
      },
      {
        name: 'is up while it can renew',
        supported,
        run: async (harness) => {
          const identity = await harness.open()
          await identity.token?.()
          expect(identity.health()).toMatchObject({ status: 'up' })
        },
      },
      {
        name: 'one caller who goes away leaves the others their answer',
        supported,
        run: async (harness) => {
          const identity = await harness.open()
          const gone = new AbortController()
          const reason = new Error('mine')
          const left = identity.token?.({ signal: gone.signal })
          const stays = identity.token?.()
          gone.abort(reason)
          await Promise.resolve(left).catch((error: unknown) => expect(error).toBe(reason))
          await verified(await stays, harness.scope)
        },
      },
      ...(createCutOff === undefined
        ? []
        : [
            {
              name: 'that can get none says so as unavailable, and in its health',
              supported,
              run: async (harness) => {
                const identity = await createCutOff(harness.scope)
                harness.defer(() => identity.close())
                await expectCode((async () => identity.token?.())(), 'unavailable')
                expect(identity.health()).toMatchObject({ status: 'down' })
                expect(identity.health().detail).toBeTypeOf('string')
              },
            } satisfies Case<Identity>,
          ]),
    ],
  }
}
