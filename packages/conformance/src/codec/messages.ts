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
                expect(reader?.decode(bytes), contentType).toStrictEqual(value)
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
        name: 'pass as before after one has been refused',
        run: async (harness) => {
          for (const { sample, bound, contentType } of await boundSamples(harness, samples)) {
            for (const value of sample.values) {
              for (const bad of sample.refused ?? []) refusalOf(() => bound.encode(bad))
              const bytes = bound.encode(value)
              for (const bad of sample.malformed?.[contentType] ?? []) {
                refusalOf(() => bound.decode(bad))
              }
              expect(bound.decode(bytes), contentType).toEqual(value)
            }
          }
        },
      },
      {
        name: 'pass as before when their type and others are bound again',
        run: async (harness) => {
          const codec = await harness.open()
          const contentTypes = [...codec.contentTypes]
          for (const contentType of contentTypes) {
            const types = samples.map(({ type }) => type)
            const first = types.map((type) => codec.bind(type, contentType))
            const again = [...foreign, ...types].map((type) => codec.bind(type, contentType))
            for (const [at, { values }] of samples.entries()) {
              const [one, other] = [first[at], again[foreign.length + at]]
              for (const value of values) {
                const bytes = one?.encode(value)
                expect(other?.encode(value), contentType).toEqual(bytes)
                expect(one?.decode(bytes ?? new Uint8Array()), contentType).toEqual(value)
              }
            }
          }
          expect(codec.contentTypes).toEqual(contentTypes)
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
