import type { Route, Snapshot } from '@micro/core/router'
import { type Picker, randomSelector, type Selector } from '@micro/core/selector'
import { consistentHashSelector } from '@micro/plugin-selector-consistent-hash'
import { p2cSelector } from '@micro/plugin-selector-p2c'
import { roundRobinSelector } from '@micro/plugin-selector-round-robin'
import { spreadOf } from './measure.ts'

const keyCount = 65_536
const keys = Array.from({ length: keyCount }, (_, at) => `user-${at}`)
const sizes = [10, 100, 1_000, 10_000]

export function benchPick(): void {
  const selector = randomSelector()
  const pickers = sizes.map((nodes) => {
    const snapshot = snapshotOf(nodes)
    const started = performance.now()
    const picker = selector.prepare(snapshot)
    const build = performance.now() - started
    const firstStarted = performance.now()
    pickAll(picker)
    const first = (performance.now() - firstStarted) / keyCount
    return { nodes, picker, build, first }
  })
  const times = new Map<number, number[]>(sizes.map((nodes) => [nodes, []]))
  for (let round = 0; round < 21; round++) {
    for (const { nodes, picker } of pickers) {
      const started = performance.now()
      pickAll(picker)
      times.get(nodes)?.push(((performance.now() - started) * 1e6) / keyCount)
    }
  }
  console.log(`pick by key, warm, over ${keyCount} keys`)
  for (const { nodes, build, first } of pickers) {
    const { median, low, high } = spreadOf(times.get(nodes) as number[])
    console.log(
      `  ${String(nodes).padStart(6)} nodes: ${median.toFixed(0)} ns (${low.toFixed(0)}–${high.toFixed(0)}); ` +
        `build ${build.toFixed(2)} ms, first touch of a key ${(first * 1_000).toFixed(2)} µs on average`,
    )
  }
  const ratios = (times.get(10_000) as number[]).map(
    (time, at) => time / (times.get(10)?.[at] as number),
  )
  const { median, low, high } = spreadOf(ratios)
  console.log(
    `  10,000 against 10: ${median.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)}) × the time  ${median <= 2 ? 'bar 2 met' : 'BAR 2 MISSED'}`,
  )
  for (const make of [randomSelector, roundRobinSelector, p2cSelector, consistentHashSelector])
    benchSelector(make())
}

/** A pick that begins and ends, with a key where the selector has keys. */
function benchSelector(selector: Selector): void {
  const costs = sizes.map((nodes) => {
    const picker = selector.prepare(snapshotOf(nodes))
    const rounds: number[] = []
    for (let round = 0; round < 12; round++) {
      const started = performance.now()
      for (const key of keys) {
        const route = picker.pick(selector.supports.keys ? { key } : {})
        if (route !== undefined) picker.done?.(route, { latency: 1, failed: false })
      }
      // The first rounds are the compiler's, and fill what is lazy.
      if (round >= 3) rounds.push(((performance.now() - started) * 1e6) / keyCount)
    }
    return `${nodes}: ${spreadOf(rounds).median.toFixed(0)} ns`
  })
  console.log(
    `pick and done, ${selector.name}, by nodes: ${costs.join(', ')}; ` +
      `farthest from even among ten equal nodes in 100,000 picks: ${(100 * deviation(selector)).toFixed(1)} %`,
  )
}

/** Of all nodes, how far the one with the most or the fewest picks without a key is from its share. */
function deviation(selector: Selector): number {
  const [nodes, picks] = [10, 100_000]
  const picker = selector.prepare(snapshotOf(nodes))
  const counts = new Map<Route, number>()
  for (let at = 0; at < picks; at++) {
    const route = picker.pick({})
    if (route === undefined) continue
    counts.set(route, (counts.get(route) ?? 0) + 1)
    picker.done?.(route, { latency: 1, failed: false })
  }
  return Math.max(...[...counts.values()].map((count) => Math.abs((count * nodes) / picks - 1)))
}

function pickAll(picker: Picker): void {
  for (const key of keys) picker.pick({ key })
}

function snapshotOf(nodes: number): Snapshot {
  const routes = Array.from(
    { length: nodes },
    (_, at): Route => ({
      ejected: false,
      node: {
        schema: 1,
        id: `node-${String(at).padStart(5, '0')}`,
        service: 's',
        version: '1',
        weight: 1,
        labels: {},
        endpoints: [],
      },
    }),
  )
  return { routes, stale: false }
}
