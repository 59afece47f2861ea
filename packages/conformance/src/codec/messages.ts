import type { Codec } from '@micro/core/codec'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'
import { boundSamples, type CodecGiven, refusalOf } from './options.ts'

export function messages({ samples, foreign }: CodecGiven): Trait<Codec> {
  return {
    name: 'messages',
    cases: [
      {
        name: 'names its content-types in lower case, without parameters, each once',
        run: async (harness) => {
          const { contentTypes } = await harness.open()
          expect(contentTypes.length).toBeGreaterThan(0)
          for (const type of contentTypes) expect(type).toMatch(/^[a-z]+\/[a-z0-9.+-]+$/)
          expect(new Set(contentTypes).size).toBe(contentTypes.length)
        },
      },
      {
        name: 'come back equal, again and again, by another instance too',
        run: async (harness) => {
          const pairs = await Promise.all([
            boundSamples(harness, samples),
            boundSamples(harness, samples),
          ])
          for (const [at, { sample, bound, contentType }] of pairs[0].entries()) {
            const other = pairs[1][at]?.bound
            for (const value of sample.values) {
              const bytes = bound.encode(value)
              expect(bytes, contentType).toBeInstanceOf(Uint8Array)
              for (const reader of [bound, bound, other]) {
                expect(reader?.decode(bytes), contentType).toEqual(value)
              }
            }
          }
        },
      },
      {
        name: 'are not changed by being encoded',
        run: async (harness) => {
          for (const { sample, bound } of await boundSamples(harness, samples)) {
            for (const value of sample.values) {
              const before = structuredClone(value)
              bound.encode(value)
              expect(value).toEqual(before)
            }
          }
        },
      },
      {
        name: 'that it cannot hold are refused, saying why in a few words',
        run: async (harness) => {
          for (const { sample, bound, contentType } of await boundSamples(harness, samples)) {
            for (const [at, value] of (sample.refused ?? []).entries()) {
              const detail = refusalOf(() => bound.encode(value))
              expect(detail, `${contentType}, the ${at + 1}th`).toMatch(/\w/)
              expect(detail?.length).toBeLessThan(1_000)
            }
          }
        },
      },
      {
        name: 'of a type of another world are left to other codecs',
        run: async (harness) => {
          const codec = await harness.open()
          for (const type of foreign) {
            for (const contentType of codec.contentTypes) {
              expect(codec.bind(type, contentType), contentType).toBeUndefined()
            }
          }
        },
      },
    ],
  }
}
