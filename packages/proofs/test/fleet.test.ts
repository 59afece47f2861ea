import { once } from 'node:events'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { MicroError } from '@micro/core'
import { expect, test } from 'vitest'
import { createFleet } from '../src/fleet.ts'
import { runLoad } from '../src/load.ts'
import { Chain, type SignalReport, Work } from '../src/work.ts'

const calls = 10_000
const width = 64

test('idempotent calls: none fails while one process of three is killed and one drained', async () => {
  await using fleet = await createFleet()
  const [killed, drained, left] = await Promise.all([fleet.start(), fleet.start(), fleet.start()])
  const work = fleet.client.client(Work)
  const exit = once(drained.process, 'exit')
  const { answers, failures } = await runLoad({
    calls,
    width,
    call: () => work.safe(),
    events: {
      2500: () => killed.process.kill('SIGKILL'),
      5000: () => drained.process.kill('SIGTERM'),
    },
  })
  expect(failures.map(String)).toEqual([])
  expect(await exit).toEqual([0, null])
  expect(answers.get(killed.id)).toBeGreaterThan(500)
  expect(answers.get(left.id)).toBeGreaterThan(3_000)
})

test('other calls: only those in flight on the killed process fail, as unavailable, with the node named', async () => {
  await using fleet = await createFleet()
  const [killed, drained] = await Promise.all([fleet.start(), fleet.start(), fleet.start()])
  const work = fleet.client.client(Work)
  const { failures } = await runLoad({
    calls,
    width,
    call: () => work.once(),
    events: {
      2500: () => killed.process.kill('SIGKILL'),
      5000: () => drained.process.kill('SIGTERM'),
    },
  })
  expect(failures.length).toBeLessThanOrEqual(width)
  for (const failure of failures) {
    expect(failure).toMatchObject({ code: 'unavailable', origin: { node: killed.id } })
  }
})

test('idempotent calls: none fails while one process of three is frozen', async () => {
  await using fleet = await createFleet()
  const [frozen, one, two] = await Promise.all([fleet.start(), fleet.start(), fleet.start()])
  const work = fleet.client.client(Work)
  const { answers, failures } = await runLoad({
    calls,
    width,
    call: () => work.safe(),
    events: { 2500: () => frozen.process.kill('SIGSTOP') },
  })
  expect(failures.map(String)).toEqual([])
  expect((answers.get(one.id) ?? 0) + (answers.get(two.id) ?? 0)).toBeGreaterThan(calls / 2)
})

test('a deadline at the edge reaches the handler three services deep within 50 ms', async () => {
  await using fleet = await createFleet()
  const workers = await Promise.all([1, 2, 3].map((depth) => fleet.start({ depth })))
  const edge = fleet.client.client(Chain(1))
  // The first call dials; the second one is measured.
  await edge.hang(undefined, { timeout: 500 }).catch(() => undefined)
  for (const worker of workers) await worker.lines.next()

  const lag = monitorEventLoopDelay({ resolution: 5 })
  lag.enable()
  const failure: unknown = await edge
    .hang(undefined, { timeout: 200 })
    .catch((error: unknown) => error)
  const at = Date.now()
  expect(MicroError.is(failure, 'deadline_exceeded')).toBe(true)
  const reports = await Promise.all(
    workers.map(
      async ({ lines }) => JSON.parse((await lines.next()).value as string) as SignalReport,
    ),
  )
  lag.disable()
  const own = lag.max / 1e6
  for (const report of reports) expect(Math.abs(report.at - at) - own).toBeLessThan(50)
  expect(reports.map(({ depth }) => depth)).toEqual([1, 2, 3])
})
