import { memoryStore, type Store } from '@micro/core/store'
import { compare, spreadOf } from './measure.ts'
import { payload } from './payload.ts'

const value = new TextEncoder().encode(JSON.stringify(payload))
const keys = Array.from({ length: 10_000 }, (_, at) => `key/${at}`)

/** Reads and writes beside a bare `Map` with a copy of the bytes; listings of one size among more and more. */
export async function benchStore(): Promise<void> {
  const store = memoryStore()
  const map = new Map<string, Uint8Array>()
  const calls = 100_000
  await compare({
    what: 'memory store, writes',
    ours: {
      name: 'micro',
      run: async (n) => {
        for (let at = 0; at < n; at++) await store.write(keys[at % keys.length] as string, value)
      },
    },
    peer: {
      name: 'bare Map, awaited',
      run: async (n) => {
        for (let at = 0; at < n; at++) {
          map.set(keys[at % keys.length] as string, value.slice())
          await undefined
        }
      },
    },
    calls,
  })
  await compare({
    what: 'memory store, reads',
    ours: {
      name: 'micro',
      run: async (n) => {
        for (let at = 0; at < n; at++) await store.read(keys[at % keys.length] as string)
      },
    },
    peer: {
      name: 'bare Map, awaited',
      run: async (n) => {
        for (let at = 0; at < n; at++) {
          map.get(keys[at % keys.length] as string)?.slice()
          await undefined
        }
      },
    },
    calls,
  })
  await benchListing()
}

/** The cost of a listing is that of what it returns: 100 keys among a thousand, and among a million. */
async function benchListing(): Promise<void> {
  const small = await filled(1_000)
  const large = await filled(1_000_000)
  const prefixes = Array.from({ length: 10 }, (_, at) => `${String(at).padStart(5, '0')}/`)
  const time = async (store: Store): Promise<number> => {
    const started = performance.now()
    for (let round = 0; round < 20; round++) {
      for (const prefix of prefixes) for await (const _ of store.list({ prefix })) void _
    }
    return ((performance.now() - started) * 1_000) / (20 * prefixes.length)
  }
  for (let warm = 0; warm < 5; warm++) {
    await time(small)
    await time(large)
  }
  const rounds: { small: number; large: number }[] = []
  for (let round = 0; round < 9; round++) {
    rounds.push({ small: await time(small), large: await time(large) })
  }
  const ratio = spreadOf(rounds.map((round) => round.large / round.small))
  console.log(
    `listing 100 keys: ${spreadOf(rounds.map((one) => one.small)).median.toFixed(0)} µs among 1,000, ` +
      `${spreadOf(rounds.map((one) => one.large)).median.toFixed(0)} µs among 1,000,000` +
      `\n  ratio ${ratio.median.toFixed(2)} (${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)})  ` +
      (ratio.median <= 3 ? 'bar 3 met' : 'BAR 3 MISSED'),
  )
}

async function filled(count: number): Promise<Store> {
  const store = memoryStore()
  const nothing = new Uint8Array()
  for (let at = 0; at < count; at++) {
    const group = String(Math.floor(at / 100)).padStart(5, '0')
    await store.write(`${group}/${String(at % 100).padStart(2, '0')}`, nothing)
  }
  return store
}
