import { eventually } from '@micro/conformance/kit'
import type { Sync } from '@micro/core/sync'
import { openClient, settleEtcd } from '@micro/etcd-client'
import { type Etcd, etcdBinary, startEtcd, startEtcdCluster } from '@micro/test-services'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { aborted, afterwards, open, scale, wait } from './support.ts'

const binary = etcdBinary()

describe.skipIf(binary === undefined)('outages of a real etcd', () => {
  let etcd: Etcd
  let namespaces = 0
  beforeAll(async () => {
    etcd = await startEtcd(binary ?? '')
  })
  afterAll(() => etcd.stop())
  const pair = (): [Sync, Sync, string] => {
    const namespace = `outage${namespaces++}`
    const options = { hosts: etcd.address, namespace, timeout: 500 }
    return [open(options), open(options), namespace]
  }

  test('a restart shorter than the lease: the lock stays, and who waits goes on waiting', async () => {
    const [one, two] = pair()
    const lock = await one.lock('a', { ttl: 10_000 })
    const next = two.lock('a', { ttl: 10_000 })
    // It has joined the queue before etcd goes.
    await eventually(async () => expect(await etcd.list('/outage0/')).toHaveLength(2))
    await etcd.kill()
    await etcd.restart()
    await expect(one.lock('a', { wait: 300 })).rejects.toMatchObject({ code: 'aborted' })
    expect(lock.lost.aborted).toBe(false)
    await lock.release()
    expect((await next).token).toBeGreaterThan(lock.token)
  })

  test('an etcd that stands still: the loss is told by the holder’s own clock', async () => {
    const [one, two] = pair()
    const lock = await one.lock('a', { ttl: 2_000 })
    etcd.pause()
    // Nobody can have told it: etcd says nothing.
    expect(await aborted(lock.lost)).toMatchObject({ code: 'aborted' })
    expect(one.health().status).toBe('degraded')
    await wait(30_000 * scale)
    etcd.resume()
    const next = await eventuallyLock(two)
    expect(next.token).toBeGreaterThan(lock.token)
    // After a loss it does nothing.
    await lock.release()
    expect(next.lost.aborted).toBe(false)
  })

  test('a lease revoked by hand is a loss', async () => {
    const [one, two, namespace] = pair()
    const lock = await one.lock('a', { ttl: 2_000 })
    const [entry] = await etcd.list(`/${namespace}/`)
    await etcd.revoke(entry?.lease ?? '')
    expect(await aborted(lock.lost)).toMatchObject({
      code: 'aborted',
      detail: 'lock "a" is lost: its lease has ended',
    })
    await two.lock('a', { wait: 0 })
  })

  test('a key deleted by hand is a loss, and its lease is given back', async () => {
    const [one, two, namespace] = pair()
    const leadership = await one.leader('a').campaign({ ttl: 2_000 })
    const [entry] = await etcd.list(`/${namespace}/`)
    await etcd.delete(entry?.key ?? '')
    expect(await aborted(leadership.lost)).toMatchObject({
      detail: 'leadership "a" is lost: its key has gone',
    })
    await two.leader('a').campaign({ wait: 0 })
    await eventually(async () => {
      const { leases = [] } = await etcd.request('lease/leases', {})
      expect(leases).not.toContainEqual({ ID: entry?.lease })
    })
  })

  test('a renewal by a leader that is none any more does not count', async () => {
    const own = openClient(settleEtcd('test', {}, []), etcd.address)
    afterwards(() => own.close())
    let renewals = 0
    const deposed = {
      kv: own.kv,
      watchClient: own.watchClient,
      leaseClient: {
        leaseGrant: own.leaseClient.leaseGrant.bind(own.leaseClient),
        leaseRevoke: own.leaseClient.leaseRevoke.bind(own.leaseClient),
        // It renews, as a member does that has not heard yet of the next term.
        leaseKeepAlive: async (...given: Parameters<typeof own.leaseClient.leaseKeepAlive>) => {
          const stream = await own.leaseClient.leaseKeepAlive(...given)
          renewals += 1
          stream.on('data', ({ header }) => Object.assign(header, { raft_term: '1' }))
          return stream
        },
      },
    }
    const one = open({ client: deposed, namespace: 'deposed' })
    const lock = await one.lock('a', { ttl: 1_000 })
    expect(await aborted(lock.lost)).toMatchObject({
      detail: 'lock "a" is lost: it was not renewed in time',
    })
    expect(renewals).toBeGreaterThan(1)
  })

  test('who has lost its place in the queue takes another one', async () => {
    const [one, two, namespace] = pair()
    const lock = await one.lock('a', { ttl: 10_000 })
    const next = two.lock('a', { ttl: 2_000 })
    let waiting: string | undefined
    await eventually(async () => {
      const entries = await etcd.list(`/${namespace}/`)
      expect(entries).toHaveLength(2)
      waiting = entries.find(({ revision }) => BigInt(revision) > lock.token)?.lease
    })
    await etcd.revoke(waiting ?? '')
    await eventually(async () => {
      const leases = (await etcd.list(`/${namespace}/`)).map(({ lease }) => lease)
      expect(leases).toHaveLength(2)
      expect(leases).not.toContain(waiting)
    })
    await lock.release()
    expect((await next).token).toBeGreaterThan(lock.token)
  })

  test('an etcd that has lost its data: the holder is told', async () => {
    const [one, two] = pair()
    const lock = await one.lock('a', { ttl: 3_000 })
    await etcd.restartEmpty()
    await aborted(lock.lost)
    await eventuallyLock(two)
  })

  test('a release that etcd does not take is told, and can be tried again', async () => {
    const [one, two] = pair()
    const lock = await one.lock('a', { ttl: 60_000 })
    await etcd.kill()
    await expect(lock.release()).rejects.toMatchObject({ code: 'unavailable' })
    await etcd.restart()
    await lock.release()
    await two.lock('a', { wait: 0 })
  })

  test('a lock that cannot be asked for is unavailable', async () => {
    const [one] = pair()
    await etcd.kill()
    await expect(one.lock('a')).rejects.toMatchObject({ code: 'unavailable' })
    await etcd.restart()
    await eventuallyLock(one)
  })

  test('who observes is told of the last change through a restart', async () => {
    const [one, two] = pair()
    await using watcher = await two.leader('a').observe()
    const first = await one.leader('a').campaign({ id: 'one', ttl: 10_000 })
    await etcd.restart()
    await first.resign()
    await one.leader('a').campaign({ id: 'two', ttl: 10_000 })
    for await (const { leader } of watcher) if (leader?.id === 'two') break
  })

  test('giving up leaves nothing behind', async () => {
    const [one, two, namespace] = pair()
    const leases = async (): Promise<unknown[]> =>
      (await etcd.request('lease/leases', {}))['leases'] as unknown[]
    const lock = await one.lock('a', { ttl: 60_000 })
    const before = (await leases()).length
    await expect(two.lock('a', { wait: 100 })).rejects.toMatchObject({ code: 'aborted' })
    await expect(two.lock('a', { wait: 0 })).rejects.toMatchObject({ code: 'aborted' })
    await expect(two.lock('a', { signal: AbortSignal.timeout(100) })).rejects.toThrow()
    const closed = expect(two.lock('a')).rejects.toMatchObject({ code: 'failed_precondition' })
    await two.close()
    await closed
    // At every moment of its way into the queue.
    for (let moment = 0; moment < 20; moment++) {
      const leaving = open({ hosts: etcd.address, namespace })
      await leaving.connect()
      const given = leaving.lock('a').catch((error: unknown) => error)
      for (let turn = 0; turn < moment; turn++) await new Promise(setImmediate)
      await leaving.close()
      expect(await given).toMatchObject({ code: 'failed_precondition' })
    }
    expect(await etcd.list(`/${namespace}/`)).toHaveLength(1)
    expect(await leases()).toHaveLength(before)
    expect(lock.lost.aborted).toBe(false)
  })

  test('while etcd is killed again and again, no two believe that they hold', async () => {
    const namespace = 'chaos'
    const syncs = Array.from({ length: 4 }, () =>
      open({ hosts: etcd.address, namespace, timeout: 500 }),
    )
    const tokens: bigint[] = []
    let holders = 0
    let stopped = false
    const run = async (sync: Sync): Promise<void> => {
      while (!stopped) {
        try {
          await using lock = await sync.lock('a', { ttl: 2_000, wait: 2_000 })
          holders += 1
          const end = (): void => {
            holders -= 1
          }
          lock.lost.addEventListener('abort', end, { once: true })
          if (holders > 1) throw new Error(`${holders} hold it`)
          tokens.push(lock.token)
          await wait(5)
          lock.lost.removeEventListener('abort', end)
          if (!lock.lost.aborted) end()
        } catch (error) {
          if (error instanceof Error && error.message.endsWith('hold it')) throw error
          await wait(20)
        }
      }
    }
    const running = syncs.map(run)
    for (let round = 0; round < Math.max(2, 50 * scale); round++) {
      await wait(300)
      await etcd.restart()
      const before = tokens.length
      await eventually(() => expect(tokens.length).toBeGreaterThan(before + 5), 15_000)
    }
    stopped = true
    await Promise.all(running)
    for (let at = 1; at < tokens.length; at++) {
      expect(tokens[at]).toBeGreaterThan(tokens[at - 1] as bigint)
    }
  })
})

describe.skipIf(binary === undefined)('a real cluster of three', () => {
  test('who leads by way of a member that is cut off has lost before another leads', async () => {
    const cluster = await startEtcdCluster(binary ?? '', 3)
    afterwards(() => cluster.stop())
    const leader = await cluster.leader()
    const others = cluster.members.filter((member) => member !== leader)
    // The one knows but the member that will be cut off, which may think for a while that it leads.
    const one = open({ hosts: leader.address, timeout: 1_000 })
    const two = open({ hosts: others.map(({ address }) => address), timeout: 5_000 })
    const all = open({ hosts: cluster.members.map(({ address }) => address), timeout: 1_000 })
    const first = await one.leader('office').campaign({ id: 'one', ttl: 2_000 })
    const kept = await all.lock('kept', { ttl: 10_000 })
    const waiting = two
      .leader('office')
      .campaign({ id: 'two', ttl: 10_000 })
      .then((second) => ({ second, toldFirst: first.lost.aborted }))
    cluster.isolate(leader)
    const { second, toldFirst } = await waiting
    expect(toldFirst).toBe(true)
    expect(second.token).toBeGreaterThan(first.token)
    await wait(60_000 * scale)
    expect(second.lost.aborted).toBe(false)
    // Who knows all members has kept what it had, by way of another one.
    expect(kept.lost.aborted).toBe(false)
    cluster.heal()
    await eventually(
      () => expect(one.lock('kept', { wait: 0 })).rejects.toMatchObject({ code: 'aborted' }),
      10_000,
    )
  })
})

/** Tries until etcd takes requests again. */
async function eventuallyLock(sync: Sync) {
  let lock: Awaited<ReturnType<Sync['lock']>> | undefined
  await eventually(async () => {
    lock = await sync.lock('a', { ttl: 10_000, wait: 5_000 })
  }, 10_000)
  if (lock === undefined) throw new Error('there is no lock')
  return lock
}
