import type { BoundCodec, Codec } from '@micro/core/codec'
import { expect } from 'vitest'
import type { Harness } from '../kit/harness.ts'
import type { Trait } from '../kit/trait.ts'
import { type CodecGiven, type HostileBodies, refusalOf } from './options.ts'

export function hostility({ hostile }: CodecGiven): Trait<Codec> {
  const bind = async (harness: Harness<Codec>, body: HostileBodies): Promise<BoundCodec> => {
    const bound = (await harness.open()).bind(body.type, body.contentType)
    if (bound === undefined) throw new Error(`it does not bind ${body.type.name}`)
    return bound
  }
  return {
    name: 'hostility',
    cases: [
      {
        name: 'a few levels of nesting are read, very many refused, however many',
        run: async (harness) => {
          for (const body of hostile) {
            if (body.nested === undefined) continue
            const bound = await bind(harness, body)
            bound.decode(body.nested(10))
            for (const depth of [20_000, 200_000]) {
              const deep = body.nested(depth)
              expect(
                refusalOf(() => bound.decode(deep)),
                `${depth} levels`,
              ).toMatch(/\w/)
            }
          }
        },
      },
      {
        name: 'no key reaches into a prototype',
        run: async (harness) => {
          for (const body of hostile) {
            if (body.keyed === undefined) continue
            const bound = await bind(harness, body)
            for (const key of ['__proto__', 'constructor', 'prototype', 'toString']) {
              let decoded: unknown
              const refused = refusalOf(() => {
                decoded = bound.decode(body.keyed?.(key) ?? new Uint8Array())
              })
              expect(({} as { polluted?: unknown }).polluted, key).toBeUndefined()
              expect((Object as { polluted?: unknown }).polluted, key).toBeUndefined()
              if (refused !== undefined || typeof decoded !== 'object' || decoded === null) continue
              expect((decoded as { polluted?: unknown }).polluted, key).toBeUndefined()
            }
          }
        },
      },
    ],
  }
}
