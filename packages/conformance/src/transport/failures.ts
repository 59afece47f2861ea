import { codes, MicroError } from '@micro/core/errors'
import type { Transport } from '@micro/core/transport'
import { expect } from 'vitest'
import { expectCode } from '../kit/lifecycle.ts'
import type { Case, Trait } from '../kit/trait.ts'
import { readAll, send } from './messages.ts'
import type { TransportAbilities } from './options.ts'
import { call, openPair, openStream } from './pair.ts'

const detail = 'what went wrong: "quotes", ünïcödé, 100 %,\nand a second line'
const typed = { type: 'google.rpc.ErrorInfo', value: Uint8Array.of(10, 2, 0, 255) }

export function failuresTrait(abilities: TransportAbilities): Trait<Transport> {
  return {
    name: 'failures',
    cases: [
      ...codes.map(
        (code): Case<Transport> => ({
          name: `a call that fails with ${code} says so, with its detail and as processed`,
          run: async (harness) => {
            const pair = await openPair(harness, abilities, {
              unary: async () => {
                throw new MicroError(code, detail, { processed: 'yes' })
              },
            })
            const error = await expectCode(call(pair), code)
            expect(MicroError.is(error)).toBe(true)
            expect(error.detail).toBe(detail)
            expect(error.processed).toBe('yes')
          },
        }),
      ),
      {
        name: 'a failure carries typed details, metadata and the time to wait',
        run: async (harness) => {
          const pair = await openPair(harness, abilities, {
            unary: async () => {
              throw new MicroError('resource_exhausted', detail, {
                processed: 'yes',
                details: [typed],
                metadata: { 'x-why': 'quota' },
                retryAfter: 3_000,
              })
            },
          })
          const error = await expectCode(call(pair), 'resource_exhausted')
          expect(error.details).toHaveLength(1)
          expect(error.details[0]?.type).toBe(typed.type)
          expect([...(error.details[0]?.value ?? [])]).toEqual([...typed.value])
          expect(error.metadata.get('x-why')).toBe('quota')
          expect(error.retryAfter).toBe(3_000)
        },
      },
      {
        name: 'a call that the server refuses before it looks is not processed',
        run: async (harness) => {
          const pair = await openPair(harness, abilities, {
            unary: async () => {
              throw new MicroError('unavailable', 'stopping', { processed: 'no' })
            },
          })
          expect((await expectCode(call(pair), 'unavailable')).processed).toBe('no')
        },
      },
      {
        name: 'a stream’s failure carries all of it, too',
        run: async (harness) => {
          const pair = await openPair(harness, abilities, {
            stream: async () => {
              throw new MicroError('permission_denied', detail, {
                processed: 'yes',
                details: [typed],
                metadata: { 'x-why': 'role' },
              })
            },
          })
          const error = await expectCode(
            readAll(openStream(harness, pair, 'down')),
            'permission_denied',
          )
          expect(error.detail).toBe(detail)
          expect(error.processed).toBe('yes')
          expect([...(error.details[0]?.value ?? [])]).toEqual([...typed.value])
          expect(error.metadata.get('x-why')).toBe('role')
        },
      },
      {
        name: 'a stream that the server refuses is not processed, and has no headers',
        run: async (harness) => {
          const pair = await openPair(harness, abilities, {
            stream: async () => {
              throw new MicroError('unavailable', 'stopping', { processed: 'no' })
            },
          })
          const stream = openStream(harness, pair, 'down')
          expect((await expectCode(stream.headers, 'unavailable')).processed).toBe('no')
          expect((await expectCode(readAll(stream), 'unavailable')).processed).toBe('no')
        },
      },
      {
        name: 'a failed call leaves the connection to the next one',
        run: async (harness) => {
          let calls = 0
          const pair = await openPair(harness, abilities, {
            unary: async (_head, body) => {
              calls += 1
              if (calls % 2 === 1) throw new MicroError('aborted', detail, { processed: 'yes' })
              return { body }
            },
          })
          for (let at = 0; at < 5; at++) {
            await expectCode(call(pair), 'aborted')
            await call(pair)
            await send(openStream(harness, pair, 'up'), [])
          }
        },
      },
    ],
  }
}
