import type { Codec } from '@micro/core/codec'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'
import { boundSamples, type CodecGiven, refusalOf } from './options.ts'

export function bytes({ samples }: CodecGiven): Trait<Codec> {
  return {
    name: 'bytes',
    cases: [
      {
        name: 'are kept by nobody: later messages do not overwrite them',
        run: async (harness) => {
          for (const { sample, bound } of await boundSamples(harness, samples)) {
            const encoded = sample.values.map((value) => {
              const own = bound.encode(value)
              return { own, copy: own.slice() }
            })
            for (const { own, copy } of encoded) expect(own).toEqual(copy)
          }
        },
      },
      {
        name: 'are read from a part of a larger buffer, and not beyond it',
        run: async (harness) => {
          for (const { sample, bound } of await boundSamples(harness, samples)) {
            for (const value of sample.values) {
              const own = bound.encode(value)
              const buffer = new Uint8Array(own.length + 64).fill(0x7b)
              buffer.set(own, 32)
              const part = buffer.subarray(32, 32 + own.length)
              expect(bound.decode(part)).toEqual(value)
            }
          }
        },
      },
      {
        name: 'of a Buffer are read as those of any Uint8Array',
        run: async (harness) => {
          for (const { sample, bound } of await boundSamples(harness, samples)) {
            for (const value of sample.values) {
              // Sockets give Buffers, whose `slice` is no copy: none may reach a message.
              const own = Buffer.from(bound.encode(value))
              expect(bound.decode(own)).toStrictEqual(value)
            }
          }
        },
      },
      {
        name: 'are not changed by being read',
        run: async (harness) => {
          for (const { sample, bound } of await boundSamples(harness, samples)) {
            for (const value of sample.values) {
              const own = bound.encode(value)
              const before = own.slice()
              bound.decode(own)
              expect(own).toEqual(before)
            }
          }
        },
      },
      {
        name: 'of malformed bodies are refused, saying why in a few words',
        run: async (harness) => {
          for (const { sample, bound, contentType } of await boundSamples(harness, samples)) {
            for (const [at, body] of (sample.malformed?.[contentType] ?? []).entries()) {
              const detail = refusalOf(() => bound.decode(body))
              expect(detail, `${contentType}, the ${at + 1}th`).toMatch(/\w/)
              expect(detail?.length).toBeLessThan(1_000)
            }
          }
        },
      },
      {
        name: 'that were cut off, changed or made up give a message or invalid_argument',
        run: async (harness) => {
          for (const { sample, bound } of await boundSamples(harness, samples)) {
            for (const value of sample.values) {
              const own = bound.encode(value)
              const step = Math.max(1, Math.floor(own.length / 200))
              for (let at = 0; at < own.length; at += step) {
                refusalOf(() => bound.decode(own.slice(0, at)))
                const changed = own.slice()
                changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8))
                refusalOf(() => bound.decode(changed))
              }
            }
            for (let seed = 1; seed <= 500; seed++) refusalOf(() => bound.decode(madeUp(seed)))
          }
        },
      },
    ],
  }
}

/** Bytes that look random and are the same each time. */
function madeUp(seed: number): Uint8Array {
  let state = seed * 2_654_435_761
  return Uint8Array.from({ length: seed % 97 }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state >>> 24
  })
}
