import { eventually } from '@micro/conformance/kit'
import { MicroError } from '@micro/core/errors'
import type { Store } from '@micro/core/store'
import { type Etcd, etcdBinary, startEtcd, startEtcdCluster } from '@micro/test-services'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { afterwards, bytes, open, scale, startCut, text, told, wait, watched } from './support.ts'

const binary = etcdBinary()

describe.skipIf(binary === undefined)('outages of a real etcd', () => {
  let etcd: Etcd
  let namespaces = 0
  beforeAll(async () => {
    etcd = await startEtcd(binary ?? '')
  })
  afterAll(() => etcd.stop())
  const pair = (): [Store, Store] => {
    const options = { hosts: etcd.address, namespace: `outage${namespaces++}` }
    return [open(options), open(options)]
  }

  test('killed and restarted: records stay, and a watch goes on where it was', async () => {
    const [one, two] = pair()
    const version = await one.write('a', bytes('1'))
    const watcher = await watched(two)
    await etcd.kill()
    await expect(one.read('a')).rejects.toMatchObject({ code: 'unavailable' })
    await expect(one.write('a', bytes('2'))).rejects.toMatchObject({ code: 'unavailable' })
    await eventually(() => expect(two.health().status).toBe('degraded'))
    await wait(60_000 * scale)
    await etcd.restart()
    const next = await one.write('a', bytes('3'), { ifVersion: version })
    await one.delete('a', { ifVersion: next })
    await one.write('b', bytes('4'))
    // No reset: history goes on. What its reader has not taken yet is merged by key.
    const events: string[] = []
    while (events.at(-1) !== 'put b=4') events.push(...(await told(watcher, 1)))
    expect(events.filter((event) => event !== 'put a=3')).toEqual(['delete a', 'put b=4'])
    await eventually(() => expect(two.health()).toEqual({ status: 'up' }))
  })

  test('history compacted while a watch was cut off: it is told to list again, and goes on', async () => {
    const namespace = `outage${namespaces++}`
    const way = await startCut(etcd.address)
    const one = open({ hosts: etcd.address, namespace })
    const two = open({ hosts: way.address, namespace })
    const watcher = await watched(two)
    await one.write('a', bytes('1'))
    expect(await told(watcher, 1)).toEqual(['put a=1'])
    way.cut()
    await one.write('a', bytes('2'))
    await one.delete('a')
    await one.write('b', bytes('1'))
    await etcd.compact()
    way.mend()
    expect(await told(watcher, 1)).toEqual(['reset'])
    await one.write('c', bytes('1'))
    expect(await told(watcher, 1)).toEqual(['put c=1'])
  })

  test('cut off without a compaction: nothing is missed, told twice, or reset', async () => {
    const namespace = `outage${namespaces++}`
    const way = await startCut(etcd.address)
    const one = open({ hosts: etcd.address, namespace })
    const watcher = await watched(open({ hosts: way.address, namespace }))
    for (let round = 0; round < 5; round++) {
      await one.write(`before${round}`, bytes('1'))
      expect(await told(watcher, 1)).toEqual([`put before${round}=1`])
      way.cut()
      await one.write(`during${round}`, bytes('1'))
      way.mend()
      expect(await told(watcher, 1)).toEqual([`put during${round}=1`])
    }
  })

  test('restarted empty: watches are told, and no version of before fits', async () => {
    const [one, two] = pair()
    let version = ''
    for (let n = 0; n < 20; n++) version = await one.write('a', bytes(String(n)))
    const watcher = await watched(two)
    await etcd.restartEmpty()
    expect(await told(watcher, 1)).toEqual(['reset'])
    expect(await eventuallyRead(one, 'a')).toBeUndefined()
    await expect(one.write('a', bytes('x'), { ifVersion: version })).rejects.toMatchObject({
      code: 'aborted',
    })
    await one.write('b', bytes('1'))
    expect(await told(watcher, 1)).toEqual(['put b=1'])
  })

  test('standing still: calls fail in time, an abort at once, and it goes on', async () => {
    const [one, two] = pair()
    const watcher = await watched(two)
    etcd.pause()
    const controller = new AbortController()
    const aborted = one.read('a', { signal: controller.signal }).catch((error: unknown) => error)
    controller.abort('mine')
    expect(await aborted).toBe('mine')
    await expect(one.write('a', bytes('1'))).rejects.toMatchObject({ code: 'unavailable' })
    await wait(30_000 * scale)
    etcd.resume()
    await one.write('b', bytes('1'))
    // The write that failed may have been done, and is told of then.
    for (;;) if ((await told(watcher, 1))[0] === 'put b=1') break
  })

  test('a ttl through a restart: the record goes a little later, never earlier', async () => {
    const [one, two] = pair()
    const watcher = await watched(two)
    const written = Date.now()
    await one.write('a', bytes('1'), { ttl: 2_000 })
    const record = await two.read('a')
    expect(record?.expiresAt).toBeGreaterThanOrEqual(written + 2_000)
    await etcd.restart()
    expect(text((await eventuallyRead(one, 'a'))?.value)).toBe('1')
    for (;;) if ((await told(watcher, 1))[0] === 'delete a') break
    expect(Date.now()).toBeGreaterThanOrEqual(written + 2_000)
    expect(await one.read('a')).toBeUndefined()
  })

  test('a write under a condition whose answer gets lost is told as that, and done once', async () => {
    const namespace = `outage${namespaces++}`
    const way = await startCut(etcd.address)
    const one = open({ hosts: way.address, namespace })
    const two = open({ hosts: etcd.address, namespace })
    await one.read('a')
    way.cutAtAnswer()
    await expect(one.write('a', bytes('1'), { ifAbsent: true })).rejects.toMatchObject({
      code: 'unavailable',
      processed: 'unknown',
    })
    // Sent again, it would have been refused as if somebody else had been first.
    expect(text((await two.read('a'))?.value)).toBe('1')
  })
})

describe.skipIf(binary === undefined)('a real cluster of three', () => {
  test('its leader is cut off: no write is lost or done twice', { timeout: 60_000 }, async () => {
    const cluster = await startEtcdCluster(binary ?? '', 3)
    afterwards(() => cluster.stop())
    const leader = await cluster.leader()
    const others = cluster.members.filter((member) => member !== leader)
    const hosts = [leader, ...others].map(({ address }) => address)
    const stores = [0, 1, 2].map(() => open({ hosts, timeout: 2_000 }))
    const watcher = await watched(open({ hosts: [...hosts].reverse(), timeout: 2_000 }), 'done/')
    let done = 0
    let unknown = 0
    let stopped = false
    const count = async (store: Store, name: number): Promise<void> => {
      for (let n = 0; !stopped; n++) {
        try {
          const record = await store.read('n')
          const value = bytes(String(Number(text(record?.value) || '0') + 1))
          const condition =
            record === undefined ? { ifAbsent: true } : { ifVersion: record.version }
          await store.commit?.([
            { type: 'write', key: 'n', value, ...condition },
            { type: 'write', key: `done/${name}-${n}`, value },
          ])
          done += 1
        } catch (error) {
          if (!MicroError.is(error)) throw error
          if (error.code === 'unavailable' && error.processed !== 'no') unknown += 1
          else if (error.code === 'unavailable') await wait(20)
          else if (error.code !== 'aborted' && error.code !== 'already_exists') throw error
        }
      }
    }
    const running = stores.map(count)
    await eventually(() => expect(done).toBeGreaterThan(20), 10_000)
    cluster.isolate(leader)
    await cluster.leader()
    const before = done
    await eventually(() => expect(done).toBeGreaterThan(before + 20), 20_000)
    await wait(60_000 * scale)
    cluster.heal()
    const healed = done
    await eventually(() => expect(done).toBeGreaterThan(healed + 20), 20_000)
    stopped = true
    await Promise.all(running)
    const [reader] = stores as [Store]
    const total = Number(text((await eventuallyRead(reader, 'n'))?.value))
    expect(total).toBeGreaterThanOrEqual(done)
    expect(total).toBeLessThanOrEqual(done + unknown)
    let kept = 0
    for await (const _ of reader.list({ prefix: 'done/', keysOnly: true })) kept += 1
    expect(kept).toBe(total)
    // The watch has told of each of them, though its member was changed.
    const seen = new Set<string>()
    while (seen.size < total) {
      const [event = ''] = await told(watcher, 1)
      expect(event).not.toBe('reset')
      seen.add(event.split('=')[0] ?? '')
    }
  })
})

/** Reads until etcd answers. */
async function eventuallyRead(store: Store, key: string) {
  let record: Awaited<ReturnType<Store['read']>>
  await eventually(async () => {
    record = await store.read(key)
  }, 10_000)
  return record
}
