import { codecTraits } from '@micro/conformance/codec'
import { type BoundCodec, type Codec, jsonCodec } from '@micro/core/codec'
import { describe, expect, test } from 'vitest'
import { jsonSamples } from './support/codecs.ts'
import { failuresOf } from './support/failures-of.ts'

const whole = jsonCodec()

/** Replaces what bound codecs do. */
function bound(change: (codec: BoundCodec) => Partial<BoundCodec>): Partial<Codec> {
  return {
    bind(type, contentType) {
      const codec = whole.bind(type, contentType)
      return codec && { ...codec, ...change(codec) }
    },
  }
}
const parse = (bytes: Uint8Array): unknown =>
  bytes.length === 0 ? undefined : JSON.parse(new TextDecoder().decode(bytes))

const broken: readonly (readonly [trait: string, what: string, broken: Partial<Codec>])[] = [
  ['messages', 'has parameters', { contentTypes: ['application/json; charset=utf-8'] }],
  ['messages', 'has no content-type', { contentTypes: [] }],
  ['messages', 'binds what is not its own', { bind: (_type, of) => whole.bind({ name: 'x' }, of) }],
  [
    'messages',
    'loses what is null',
    bound(({ encode }) => ({ encode: (value) => encode(value ?? undefined) })),
  ],
  [
    'messages',
    'sorts what it is given',
    bound(({ encode }) => ({
      encode: (value) => encode(Array.isArray(value) ? value.reverse() : value),
    })),
  ],
  [
    'messages',
    'throws whatever comes',
    bound(() => ({ encode: (value) => new TextEncoder().encode(JSON.stringify(value)) })),
  ],
  [
    'bytes',
    'writes into one buffer',
    (() => {
      const buffer = new Uint8Array(1 << 20)
      return bound(({ encode }) => ({
        encode(value) {
          const bytes = encode(value)
          buffer.set(bytes)
          return buffer.subarray(0, bytes.length)
        },
      }))
    })(),
  ],
  [
    'bytes',
    'reads the whole buffer',
    bound(({ decode }) => ({ decode: (bytes) => decode(new Uint8Array(bytes.buffer)) })),
  ],
  [
    'bytes',
    'reads in place',
    bound(({ decode }) => ({
      decode(bytes) {
        const value = decode(bytes)
        bytes.fill(0)
        return value
      },
    })),
  ],
  ['bytes', 'throws whatever the parser does', bound(() => ({ decode: parse }))],
  [
    'bytes',
    'takes what is malformed for nothing',
    bound(({ decode }) => ({
      decode(bytes) {
        try {
          return decode(bytes)
        } catch {
          return null
        }
      },
    })),
  ],
  ['hostility', 'reads any depth', bound(() => ({ decode: parse }))],
  [
    'hostility',
    'merges what it reads',
    bound(({ decode }) => ({
      decode: (bytes) =>
        Object.assign({}, ...Object.values((parse(bytes) ?? {}) as object)) ?? decode,
    })),
  ],
  ['lifecycle', 'has no name', { name: '' }],
]

describe('a codec that', () => {
  test.each(broken)('%s: %s, is caught', async (name, _what, change) => {
    const trait = codecTraits(jsonSamples).find((one) => one.name === name)
    const create = (): Codec => ({ ...whole, ...change })
    expect(await failuresOf(trait, { name: 'broken', create })).not.toEqual([])
  })
})
