import { once } from 'node:events'
import { randomSelector, type Selector } from '@micro/core/selector'
import { consistentHashSelector } from '@micro/plugin-selector-consistent-hash'
import { p2cSelector } from '@micro/plugin-selector-p2c'
import { roundRobinSelector } from '@micro/plugin-selector-round-robin'
import { describe, expect, test } from 'vitest'
import { createFleet } from '../src/fleet.ts'
import { type LoadResult, percentile, runLoad } from '../src/load.ts'
import { Work } from '../src/work.ts'

const scale = Number(process.env['MICRO_SCALE'] ?? '0.1')
const instances = 6
/** Of the six, how many are replaced. */
const replaced = scale >= 1 ? instances : 2
const callsBetween = scale >= 1 ? 10_000 : 3_000

const selectors: Readonly<Record<string, () => Selector>> = {
  random: randomSelector,
  'round-robin': roundRobinSelector,
  p2c: p2cSelector,
  'consistent-hash': consistentHashSelector,
}

function report(what: string, load: LoadResult): void {
  const [p50, p99, p999] = [0.5, 0.99, 0.999].map((share) => percentile(load, share).toFixed(1))
  console.log(`${what}: p50 ${p50} ms, p99 ${p99} ms, p99.9 ${p999} ms`)
}

describe.each(Object.entries(selectors))('with %s', (name, make) => {
  test('a rolling restart loses no idempotent call', async () => {
    await using fleet = await createFleet()
    const workers = await Promise.all(Array.from({ length: instances }, () => fleet.start()))
    const work = (await fleet.connect(make())).client(Work)
    const restarts: Promise<unknown>[] = []
    const events: Record<number, () => unknown> = {}
    for (const [at, worker] of workers.slice(0, replaced).entries()) {
      events[(at + 1) * callsBetween] = () => {
        restarts.push(
          (async () => {
            await fleet.start()
            const exit = once(worker.process, 'exit')
            worker.process.kill('SIGTERM')
            expect(await exit).toEqual([0, null])
          })(),
        )
      }
    }
    let made = 0
    const load = await runLoad({
      calls: (replaced + 2) * callsBetween,
      width: 64,
      call: () => {
        made += 1
        return work.safe(undefined, { key: `user-${made % 1_000}` })
      },
      events,
    })
    await Promise.all(restarts)
    report(`rolling restart of ${replaced} of ${instances}, ${name}`, load)
    expect(load.failures.map(String)).toEqual([])
    expect(load.answers.size).toBeGreaterThan(instances)
  }, 60_000)

  test('a frozen instance loses no idempotent call', async () => {
    await using fleet = await createFleet()
    const [frozen] = await Promise.all(Array.from({ length: 3 }, () => fleet.start()))
    const work = (await fleet.connect(make())).client(Work)
    const load = await runLoad({
      calls: 3 * callsBetween,
      width: 64,
      call: () => work.safe(),
      events: { [callsBetween]: () => frozen?.process.kill('SIGSTOP') },
    })
    report(`one of three frozen, ${name}`, load)
    expect(load.failures.map(String)).toEqual([])
  }, 60_000)
})

test('with one of ten instances 20 times slower, the p99 of p2c is at most half of random’s', async () => {
  await using fleet = await createFleet()
  await Promise.all([
    fleet.start({ work: 40 }),
    ...Array.from({ length: 9 }, () => fleet.start({ work: 2 })),
  ])
  const clients = {
    random: (await fleet.connect(randomSelector())).client(Work),
    p2c: (await fleet.connect(p2cSelector())).client(Work),
  }
  const load = (client: typeof clients.p2c): Promise<LoadResult> =>
    runLoad({
      calls: Math.ceil(20_000 * Math.max(scale, 0.2)),
      width: 8,
      call: () => client.safe(),
    })
  // Sockets are opened, and p2c learns.
  await Promise.all([load(clients.random), load(clients.p2c)])
  const random = await load(clients.random)
  const p2c = await load(clients.p2c)
  report('one of ten 20 × slower, random', random)
  report('one of ten 20 × slower, p2c', p2c)
  expect(p2c.failures).toEqual([])
  expect(percentile(p2c, 0.99)).toBeLessThanOrEqual(percentile(random, 0.99) / 2)
}, 60_000)
