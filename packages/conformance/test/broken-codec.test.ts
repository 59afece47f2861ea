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

function copyOf(tree: unknown): unknown {
  if (typeof tree !== 'object' || tree === null) return tree
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(tree)) copy[key] = copyOf((tree as Record<string, unknown>)[key])
  return copy
}

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
    'messages',
    'works no more once it has refused',
    (() => {
      let refused = false
      return bound(({ encode }) => ({
        encode(value) {
          if (refused) throw new Error('in pieces')
          try {
            return encode(value)
          } catch (error) {
            refused = true
            throw error
          }
        },
      }))
    })(),
  ],
  [
    'messages',
    'knows its last binding only',
    (() => {
      let last = 0
      return bound(({ encode }) => {
        const own = ++last
        return { encode: (value) => encode(own === last ? value : null) }
      })
    })(),
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
    'writes any depth',
    bound(() => ({ encode: (value) => new TextEncoder().encode(JSON.stringify(value)) })),
  ],
  [
    'hostility',
    'mends text',
    bound(({ decode }) => ({
      decode: (bytes) => {
        const text = JSON.stringify(decode(bytes)).replaceAll(/\\ud[89a-f]../g, '\ufffd')
        return JSON.parse(text)
      },
    })),
  ],
  ['hostility', 'copies key by key', bound(() => ({ decode: (bytes) => copyOf(parse(bytes)) }))],
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

const caught = new Map<string, Set<string>>()

describe('a codec that', () => {
  test.each(broken)('%s: %s, is caught', async (name, _what, change) => {
    const trait = codecTraits(jsonSamples).find((one) => one.name === name)
    const create = (): Codec => ({ ...whole, ...change })
    const failures = await failuresOf(trait, { name: 'broken', create })
    const known = caught.get(name) ?? new Set()
    caught.set(name, known)
    for (const failure of failures) known.add(failure)
    expect(failures).not.toEqual([])
  })
})

// The cases of `lifecycle` are the kit's own, and broken there.
test.each(codecTraits(jsonSamples).filter(({ name }) => name !== 'lifecycle'))(
  '$name: each case catches one of them',
  ({ name, cases }) => {
    const blind = cases.map((one) => one.name).filter((one) => caught.get(name)?.has(one) !== true)
    expect(blind).toEqual([])
  },
)
