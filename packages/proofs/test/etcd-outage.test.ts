import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { randomSelector } from '@micro/core/selector'
import { type Etcd, etcdBinary, startEtcd } from '@micro/test-services'
import { describe, expect, test } from 'vitest'
import { countPicks, createEtcdFleet } from '../src/etcd-fleet.ts'
import { Work } from '../src/work.ts'

const scale = Number(process.env['MICRO_SCALE'] ?? '0.1')
const binary = etcdBinary()
const ttl = scale >= 1 ? 15_000 : 5_000
const crowd = scale >= 1 ? 600 : 150
/** A machine that is busy with something else is not what this is about. */
const patient = { timeout: 30_000 }

/** Requests that etcd has taken, of all kinds. */
async function total(etcd: Etcd): Promise<number> {
  return [...(await etcd.requests()).values()].reduce((sum, count) => sum + count, 0)
}

/** Requests per second, in each window of a second. */
async function sample(etcd: Etcd, milliseconds: number): Promise<number[]> {
  const samples: { at: number; count: number }[] = []
  const rates: number[] = []
  for (const end = performance.now() + milliseconds; performance.now() < end; await wait(100)) {
    const latest = { at: performance.now(), count: await total(etcd) }
    samples.push(latest)
    while (samples.length > 2 && latest.at - (samples[1]?.at ?? 0) >= 1_000) samples.shift()
    const [oldest = latest] = samples
    if (latest.at - oldest.at < 1_000) continue
    rates.push(((latest.count - oldest.count) * 1_000) / (latest.at - oldest.at))
  }
  return rates
}

/**
 * What chance adds to the fullest of many seconds, where so many requests are expected in each: four standard
 * deviations of a count. At full size there are enough of them to do without.
 */
function chance(expected: number): number {
  return scale >= 1 ? 0 : 4 * Math.sqrt(expected)
}

/** The first is the hardest: all nodes are gone when it is back. */
const kinds = ['emptied', ...(scale >= 1 ? ['killed', 'stood still'] : [])]

describe.skipIf(binary === undefined)('etcd is away under load', () => {
  test.each(kinds)(
    '%s: no call fails, and all are registered within a ttl, without a flood',
    {
      timeout: 300_000,
    },
    async (kind) => {
      const etcd = await startEtcd(binary ?? '')
      await using fleet = createEtcdFleet(etcd, ttl)
      const servers = [await fleet.serve(), await fleet.serve(), await fleet.serve()]
      const work = (await fleet.connect()).client(Work)
      await fleet.crowd(crowd, 15)
      const failures: unknown[] = []
      const answers = new Map<string, number>()
      let stopped = false
      const load = async (call: () => Promise<string>): Promise<void> => {
        while (!stopped) {
          try {
            const id = await call()
            answers.set(id, (answers.get(id) ?? 0) + 1)
          } catch (error) {
            failures.push(error)
          }
          await wait(5)
        }
      }
      const running = [
        load(() => work.safe(undefined, patient)),
        load(() => work.once(undefined, patient)),
      ]
      // Each renews at a moment of its own by then.
      await wait(ttl)
      // As long as afterwards, so that what each does once in a ttl counts in both.
      const before = await sample(etcd, ttl)
      const steady = before.reduce((sum, rate) => sum + rate, 0) / before.length

      const away = Math.max(kind === 'stood still' ? 12_000 : 10_000, 60_000 * scale)
      if (kind === 'stood still') etcd.pause()
      else await etcd.kill()
      await wait(away)
      if (kind === 'stood still') etcd.resume()
      else if (kind === 'emptied') await etcd.restartEmpty()
      else await etcd.restart()
      const back = await sample(etcd, ttl)
      const registered = (await etcd.list('/micro/')).length
      const failed = failures.length
      stopped = true
      await Promise.all(running)
      const peak = Math.max(...back)
      console.log(
        `etcd ${kind} for ${away / 1_000} s, ${crowd} nodes and ${ttl / 1_000} s of ttl: ${Math.round(steady)} ` +
          `requests a second before, ${Math.round(peak)} at most afterwards; ` +
          `${[...answers.values()].reduce((sum, count) => sum + count, 0)} calls, ${failed} failed`,
      )
      expect(failures.map(String)).toEqual([])
      expect([...answers.keys()].sort()).toEqual(servers.map(({ id }) => id).sort())
      expect(registered).toBe(crowd + servers.length)
      // What was sent to one that stands still waits for it to go on, and is not counted as its load.
      if (kind !== 'stood still') expect(peak).toBeLessThan(2 * steady + chance(2 * steady))
      await fleet[Symbol.asyncDispose]()
      await etcd.stop()
    },
  )
})

describe.skipIf(binary === undefined)('instances found by etcd', () => {
  test('one that crashes is out at the first refused connection, one that starts is in soon', async () => {
    const etcd = await startEtcd(binary ?? '')
    await using fleet = createEtcdFleet(etcd, 5_000)
    const workers = await Promise.all([fleet.start(), fleet.start(), fleet.start()])
    const { selector, picks } = countPicks(randomSelector())
    const work = (await fleet.connect(selector)).client(Work)
    const answeredBy = async (id: string): Promise<void> => {
      while ((await work.safe()) !== id);
    }
    for (const { id } of workers) await answeredBy(id)

    const [crashed] = workers
    const exit = once(crashed.process, 'exit')
    crashed.process.kill('SIGKILL')
    await exit
    picks.clear()
    const began = performance.now()
    for (let call = 0; call < 300; call++) expect(await work.safe()).not.toBe(crashed.id)
    const took = performance.now() - began
    // It is still registered, and tried once; a second time by a probe if that took more than a second.
    expect((await etcd.list('/micro/work/')).length).toBe(3)
    expect(picks.get(crashed.id) ?? 0).toBeLessThanOrEqual(1 + Math.floor(took / 1_000))
    expect(picks.size).toBeGreaterThan(1)

    const { id } = await fleet.start()
    const registered = performance.now()
    await answeredBy(id)
    expect(performance.now() - registered).toBeLessThan(2_000)
    await fleet[Symbol.asyncDispose]()
    await etcd.stop()
  })
})
