import type { BoundCodec, Codec } from '@micro/core/codec'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'
import { type CodecGiven, type HostileBodies, refusalOf } from './options.ts'

export function hostility({ hostile }: CodecGiven): Trait<Codec> {
  return {
    name: 'hostility',
    cases: [
      {
        name: 'a few levels of nesting are read, very many refused, however many',
        run: async (harness) => {
          for (const { nested, bound } of boundBodies(await harness.open(), hostile)) {
            if (nested === undefined) continue
            bound.decode(nested(10))
            for (const depth of [20_000, 200_000]) {
              const body = nested(depth)
              expect(
                refusalOf(() => bound.decode(body)),
                `${depth} levels`,
              ).toMatch(/\w/)
            }
          }
        },
      },
      {
        name: 'a message that is nested very deep is written or refused',
        run: async (harness) => {
          for (const { deep, bound } of boundBodies(await harness.open(), hostile)) {
            if (deep === undefined) continue
            bound.encode(deep(10))
            for (const depth of [2_000, 20_000, 200_000]) refusalOf(() => bound.encode(deep(depth)))
          }
        },
      },
      {
        name: 'half of a surrogate pair comes back or is refused, never becomes another text',
        run: async (harness) => {
          for (const { holding, bound } of boundBodies(await harness.open(), hostile)) {
            if (holding === undefined) continue
            for (const text of ['\ud800', 'a\udc00b', '\udc00\ud800', '\ufffd\ud83d', '\ufffd']) {
              const value = holding(text)
              let bytes: Uint8Array | undefined
              const refused = refusalOf(() => {
                bytes = bound.encode(value)
              })
              if (bytes !== undefined) expect(bound.decode(bytes)).toStrictEqual(value)
              // What stands for a broken text is a sound one itself.
              if (text === '\ufffd') expect(refused).toBeUndefined()
            }
          }
        },
      },
      {
        name: 'no key reaches into a prototype',
        run: async (harness) => {
          for (const { keyed, bound } of boundBodies(await harness.open(), hostile)) {
            if (keyed === undefined) continue
            const harmless = prototypesOf(bound.decode(keyed('harmless')))
            for (const key of ['__proto__', 'constructor', 'prototype', 'toString']) {
              let decoded: unknown
              refusalOf(() => {
                decoded = bound.decode(keyed(key))
              })
              expect(({} as { polluted?: unknown }).polluted, key).toBeUndefined()
              expect((Object as { polluted?: unknown }).polluted, key).toBeUndefined()
              for (const prototype of prototypesOf(decoded)) {
                expect(harmless.has(prototype), `${key} is no prototype`).toBe(true)
              }
            }
          }
        },
      },
    ],
  }
}

function boundBodies(
  codec: Codec,
  hostile: readonly HostileBodies[],
): (HostileBodies & { bound: BoundCodec })[] {
  return hostile.map((body) => {
    const bound = codec.bind(body.type, body.contentType)
    if (bound === undefined) throw new Error(`it does not bind ${body.type.name}`)
    return { ...body, bound }
  })
}

/** Prototypes of all objects within; none other comes with another key. */
function prototypesOf(value: unknown, found: Set<unknown> = new Set()): Set<unknown> {
  if (typeof value !== 'object' || value === null) return found
  found.add(Object.getPrototypeOf(value))
  for (const key of Object.getOwnPropertyNames(value)) {
    prototypesOf((value as Record<string, unknown>)[key], found)
  }
  return found
}
