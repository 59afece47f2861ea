import type { Auth } from '@micro/core/auth'
import { expect } from 'vitest'
import type { Case, Trait } from '../kit/trait.ts'
import { type AuthGiven, expectRefused, openWithToken } from './options.ts'

/** What each makes of a token that is valid. */
const forgeries: readonly (readonly [what: string, forge: (token: string) => string])[] = [
  ['nothing', () => ''],
  ['one character', () => 'x'],
  ['words', () => 'let me in'],
  ['a NUL', (token) => `${token}\0`],
  ['a space before', (token) => ` ${token}`],
  ['a line break behind', (token) => `${token}\n`],
  ['its scheme before it', (token) => `Bearer ${token}`],
  ['one character too many', (token) => `${token}A`],
  ['one character too few at its end', (token) => token.slice(0, -1)],
  ['one character too few at its beginning', (token) => token.slice(1)],
  ['its first half', (token) => token.slice(0, token.length / 2)],
  ['itself twice', (token) => token + token],
  ['upper case', (token) => token.toUpperCase()],
  ['a letter that looks the same', (token) => token.replace(/[aceopx]/, 'а')],
  ['half of a surrogate pair', (token) => `${token}\ud800`],
  ['a percent code', (token) => `%${token.charCodeAt(0).toString(16)}${token.slice(1)}`],
  ['16 KiB and a little', (token) => token + 'A'.repeat(16_384)],
  ['8 MiB', (token) => token + 'A'.repeat(8 << 20)],
  ['an object key of JavaScript', () => '__proto__'],
]

export function forged(given: AuthGiven): Trait<Auth> {
  return {
    name: 'forgeries',
    cases: [
      ...forgeries.map(
        ([what, forge]): Case<Auth> => ({
          name: `refuses ${what}, in the words in which all are refused`,
          run: async (harness) => {
            const { auth, token } = await openWithToken(harness, given)
            const forgery = forge(token)
            expect(forgery).not.toBe(token)
            await expectRefused(auth.verify(forgery))
            expect((await auth.verify(token)).account.id).toBe('ada')
          },
        }),
      ),
      {
        name: 'refuses a token that differs in one place, wherever that is',
        run: async (harness) => {
          const { auth, token } = await openWithToken(harness, given)
          // The last character of base64 may hold bits that mean nothing.
          const places = Array.from({ length: 40 }, (_, at) =>
            Math.floor((at * (token.length - 2)) / 40),
          )
          for (const place of new Set(places)) {
            const other = token[place] === 'B' ? 'C' : 'B'
            const changed = token.slice(0, place) + other + token.slice(place + 1)
            await expectRefused(auth.verify(changed))
          }
        },
      },
    ],
  }
}
