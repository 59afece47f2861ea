import { eventually } from '@micro/conformance/kit'
import { createRegistrar, type Node, type Registry } from '@micro/core/registry'
import { etcdRegistry } from '@micro/plugin-registry-etcd'
import { type Etcd, etcdBinary, startEtcd, startEtcdCluster } from '@micro/test-services'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { afterwards, closedAfterwards, followNodes, makeNode, scale, wait } from './support.ts'

const binary = etcdBinary()

describe.skipIf(binary === undefined)('outages of a real etcd', () => {
  let etcd: Etcd
  let namespaces = 0
  beforeAll(async () => {
    etcd = await startEtcd(binary ?? '')
  })
  afterAll(() => etcd.stop())

  const pair = (): [Registry, Registry, string] => {
    const namespace = `outage${namespaces++}`
    const open = (): Registry =>
      closedAfterwards(etcdRegistry({ hosts: etcd.address, namespace, timeout: 500 }))
    return [open(), open(), namespace]
  }
  const announce = async (registry: Registry, node: Node, ttl = 3_000) => {
    const registrar = createRegistrar({ registry, nodes: [node], ttl })
    afterwards(() => registrar.stop().catch(() => undefined))
    await registrar.start()
    return registrar
  }

  test('killed and restarted: calls fail as unavailable, no watch ends, nodes come back', async () => {
    const [one, two] = pair()
    const followed = await followNodes(two, 'greeter')
    await announce(one, makeNode('stays'))
    await followed.until(() => followed.ids().includes('stays'))
    await etcd.kill()
    await eventually(() => expect(two.health().status).toBe('degraded'))
    expect(two.health().detail).toContain(etcd.address)
    await expect(two.list()).rejects.toMatchObject({ code: 'unavailable' })
    await expect(one.register(makeNode('b'))).rejects.toMatchObject({ code: 'unavailable' })
    await wait(60_000 * scale)
    await etcd.restart()
    await one.register(makeNode('new'))
    await followed.until(() => followed.ids().join() === 'new,stays')
    await eventually(() => expect(two.health()).toEqual({ status: 'up' }))
  })

  test('restarted with no data: nodes stay for watchers until they are registered anew', async () => {
    const [one, two] = pair()
    const followed = await followNodes(two)
    const registrar = await announce(one, makeNode('a'))
    await followed.until(() => followed.ids().includes('a'))
    await etcd.restartEmpty()
    await eventually(async () => expect(await listed(two)).toEqual(['a']), 10_000)
    await eventually(() => expect(registrar.health().status).toBe('up'))
    await one.register(makeNode('b'))
    await followed.until(() => followed.ids().includes('b'))
    expect(followed.events.some(({ type }) => type === 'delete')).toBe(false)
    for (const event of followed.events.slice(1)) {
      if (event.type === 'reset') expect(event.nodes.map(({ id }) => id)).toContain('a')
    }
  })

  test('what lapsed in an outage is kept for a while, if it is more than half', async () => {
    const namespace = `outage${namespaces++}`
    const options = { hosts: etcd.address, namespace, timeout: 500 }
    const one = closedAfterwards(etcdRegistry(options))
    const two = closedAfterwards(etcdRegistry({ ...options, lossGrace: 1_000 }))
    const none = closedAfterwards(etcdRegistry({ ...options, lossGrace: 0 }))
    for (const id of ['a', 'b', 'c']) await one.register(makeNode(id))
    const followed = await followNodes(two)
    const other = await followNodes(none)
    await etcd.restartEmpty()
    const began = performance.now()
    await eventually(() => one.register(makeNode('c'), { ttl: 60_000 }), 10_000)
    // Held, told of as gone when its time is over, and not before.
    await followed.until(() => followed.ids().join() === 'c')
    expect(performance.now() - began).toBeGreaterThan(900)
    expect(followed.events.filter(({ type }) => type === 'delete')).toHaveLength(2)
    await other.until(() => other.ids().join() === 'c')
    expect(other.events.filter(({ type }) => type === 'delete')).toEqual([])
    // Fewer than half are believed.
    for (const id of ['d', 'e']) await one.register(makeNode(id), { ttl: 60_000 })
    await followed.until(() => followed.ids().join() === 'c,d,e')
    await etcd.kill()
    await etcd.restart()
    await eventually(() => one.deregister(makeNode('d')), 10_000)
    const before = followed.events.length
    await followed.until(() => followed.ids().join() === 'c,e')
    expect(followed.events.length).toBeGreaterThan(before)
  })

  test('so is what lapses right behind an outage, as when etcd itself stood still', async () => {
    const namespace = `outage${namespaces++}`
    const options = { hosts: etcd.address, namespace, timeout: 500, lossGrace: 1_500 }
    const one = closedAfterwards(etcdRegistry(options))
    const two = closedAfterwards(etcdRegistry(options))
    for (const id of ['a', 'b', 'c']) await one.register(makeNode(id), { ttl: 60_000 })
    const followed = await followNodes(two)
    await etcd.kill()
    await eventually(() => expect(two.health().status).toBe('degraded'))
    await etcd.restart()
    await eventually(() => expect(two.health().status).toBe('up'), 10_000)
    for (const { lease } of await etcd.list(`/${namespace}/`)) await etcd.revoke(lease)
    await followed.until(() => followed.ids().length === 2)
    const began = performance.now()
    await followed.until(() => followed.ids().length === 0)
    expect(performance.now() - began).toBeGreaterThan(500)
  })

  test('standing still: a registration fails in time, and both go on afterwards', async () => {
    const [one, two] = pair()
    const followed = await followNodes(two)
    await one.register(makeNode('a'))
    etcd.pause()
    await expect(one.register(makeNode('a'))).rejects.toMatchObject({ code: 'unavailable' })
    await wait(30_000 * scale)
    etcd.resume()
    await one.register(makeNode('b'))
    await followed.until(() => followed.ids().includes('b'))
  })

  test('a lease revoked by hand: gone for all, and back with the next registration', async () => {
    const [one, two, namespace] = pair()
    const followed = await followNodes(two)
    await announce(one, makeNode('a'))
    await followed.until(() => followed.ids().includes('a'))
    const [record] = await etcd.list(`/${namespace}/greeter/a`)
    await etcd.revoke(record?.lease ?? '')
    await followed.until(() => followed.ids().length === 0)
    await followed.until(() => followed.ids().includes('a'))
  })

  test('a key deleted by hand, or overwritten, is put right by the next registration', async () => {
    const [one, two, namespace] = pair()
    const followed = await followNodes(two)
    await announce(one, makeNode('a'))
    const key = `/${namespace}/greeter/a`
    await followed.until(() => followed.ids().includes('a'))
    await etcd.delete(key)
    await followed.until(() => followed.ids().length === 0)
    await followed.until(() => followed.ids().includes('a'))
    await etcd.put(key, 'nonsense')
    await followed.until(() => followed.ids().length === 0)
    await followed.until(() => followed.ids().includes('a'))
    // It has its lease again, too.
    const [record] = await etcd.list(key)
    expect(record?.lease).not.toBe('0')
  })

  test('compaction: what was changed while nobody could listen is not missed', async () => {
    const [one, two] = pair()
    const followed = await followNodes(two)
    await one.register(makeNode('goes'))
    await followed.until(() => followed.ids().includes('goes'))
    await etcd.kill()
    await eventually(() => expect(two.health().status).toBe('degraded'))
    await etcd.restart()
    for (let weight = 1; weight < 20; weight++) await one.register(makeNode('stays', { weight }))
    await one.deregister(makeNode('goes'))
    await etcd.compact()
    await followed.until(() => followed.ids().join() === 'stays')
  })

  test('a watch cannot begin while etcd is away; it can later', async () => {
    const [one, two] = pair()
    await etcd.kill()
    await expect(two.watch()).rejects.toMatchObject({ code: 'unavailable' })
    expect(two.health().status).toBe('degraded')
    await etcd.restart()
    const followed = await followNodes(two)
    expect(two.health()).toEqual({ status: 'up' })
    await one.register(makeNode('a'))
    await followed.until(() => followed.ids().includes('a'))
  })

  test('tokens that become void: renewals and watches go on', async () => {
    const own = await startEtcd(binary ?? '')
    afterwards(() => own.stop())
    await own.enableAuth('secret')
    const options = { hosts: own.address, user: 'root', password: 'secret', timeout: 2_000 }
    const one = closedAfterwards(etcdRegistry(options))
    const two = closedAfterwards(etcdRegistry({ ...options, relistInterval: 200 }))
    const followed = await followNodes(two)
    const registrar = await announce(one, makeNode('a'))
    await own.voidTokens()
    await one.register(makeNode('b'))
    await followed.until(() => followed.ids().join() === 'a,b')
    await one.register(makeNode('a', { weight: 2 }))
    await followed.until(() => followed.ids().join() === 'a,b')
    expect(registrar.health()).toEqual({ status: 'up' })
    expect(two.health()).toEqual({ status: 'up' })
  })

  test('a renewal is not written, and a lease does not pile up', async () => {
    const [one, , namespace] = pair()
    const prefix = `/${namespace}/`
    await one.register(makeNode('a'), { ttl: 5_000 })
    const [first] = await etcd.list(prefix)
    for (let n = 0; n < 5; n++) await one.register(makeNode('a'), { ttl: 5_000 })
    expect(await etcd.list(prefix)).toEqual([first])
    await one.register(makeNode('a', { weight: 2 }), { ttl: 5_000 })
    const [changed] = await etcd.list(prefix)
    expect(changed?.lease).toBe(first?.lease)
    const leases = async (): Promise<unknown[]> => {
      const { leases = [] } = await etcd.request('lease/leases', {})
      return leases as unknown[]
    }
    const before = (await leases()).length
    // Another ttl is another lease, and the former one is given back.
    await one.register(makeNode('a'), { ttl: 60_000 })
    expect((await etcd.list(prefix))[0]?.lease).not.toBe(first?.lease)
    expect(await leases()).toHaveLength(before)
    await one.deregister(makeNode('a'))
    expect(await leases()).toHaveLength(before - 1)
  })
})

describe.skipIf(binary === undefined)('a real cluster of three', () => {
  test('its leader is cut off: nodes stay, and watches go on, by way of the others', async () => {
    const cluster = await startEtcdCluster(binary ?? '', 3)
    afterwards(() => cluster.stop())
    const leader = await cluster.leader()
    // Both begin with the member that will be cut off, though its clients still reach it.
    const hosts = [leader, ...cluster.members.filter((member) => member !== leader)].map(
      ({ address }) => address,
    )
    const one = closedAfterwards(etcdRegistry({ hosts, timeout: 3_000 }))
    const two = closedAfterwards(etcdRegistry({ hosts, timeout: 3_000 }))
    const followed = await followNodes(two)
    const registrar = createRegistrar({ registry: one, nodes: [makeNode('stays')], ttl: 10_000 })
    afterwards(() => registrar.stop())
    await registrar.start()
    await followed.until(() => followed.ids().includes('stays'))
    cluster.isolate(leader)
    await cluster.leader()
    await eventually(() => one.register(makeNode('new'), { ttl: 10_000 }), 10_000)
    await followed.until(() => followed.ids().join() === 'new,stays')
    await wait(60_000 * scale)
    await eventually(async () => expect(await listed(two)).toEqual(['new', 'stays']), 10_000)
    // The member that returns makes the others elect once more.
    cluster.heal()
    await eventually(() => one.register(makeNode('newer'), { ttl: 10_000 }), 20_000)
    await followed.until(() => followed.ids().includes('newer'))
  })
})

async function listed(registry: Registry): Promise<string[]> {
  return (await registry.list()).map(({ id }) => id).sort()
}
