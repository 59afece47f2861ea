import { type BoundCodec, type Codec, jsonCodec } from '@micro/core/codec'
import { cborCodec } from '@micro/plugin-codec-cbor'
import { msgpackCodec } from '@micro/plugin-codec-msgpack'
import { spreadOf } from './measure.ts'
import { payload } from './payload.ts'

/** About 10 KB as JSON: 100 of the small message. */
const page = { total: 100, items: Array.from({ length: 100 }, (_, at) => ({ ...payload, id: at })) }

/** What writing and reading a message costs, by encoding; who comes first changes with the round. */
export function benchCodec(): void {
  const codecs = [jsonCodec(), msgpackCodec(), cborCodec()]
  for (const [label, message, runs] of [
    ['90 bytes', payload, 50_000],
    ['10 KB', page, 1_000],
  ] as const) {
    const all = codecs.map((codec) => ({ codec, bound: bind(codec), rounds: [] as number[] }))
    for (let round = 0; round < 12; round++) {
      for (let turn = 0; turn < all.length; turn++) {
        const one = all[(round + turn) % all.length]
        if (one === undefined) continue
        const cost = time(one.bound, message, runs)
        // The first rounds are the compiler's.
        if (round >= 3) one.rounds.push(cost)
      }
    }
    for (const { codec, bound, rounds } of all) {
      const { median, low, high } = spreadOf(rounds)
      console.log(
        `codec, ${label}, ${codec.name}: ${median.toFixed(2)} µs (${low.toFixed(2)}–${high.toFixed(2)}) ` +
          `to write and read, ${bound.encode(message).length} bytes`,
      )
    }
  }
}

function bind(codec: Codec): BoundCodec {
  const [contentType = ''] = codec.contentTypes
  const bound = codec.bind({ name: 'a message' }, contentType)
  if (bound === undefined) throw new Error(`${codec.name} does not bind a plain type`)
  return bound
}

/** Microseconds for one message. */
function time(bound: BoundCodec, message: unknown, runs: number): number {
  globalThis.gc?.()
  const started = performance.now()
  for (let at = 0; at < runs; at++) bound.decode(bound.encode(message))
  return ((performance.now() - started) * 1_000) / runs
}
