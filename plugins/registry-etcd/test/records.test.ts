import { eventually } from '@micro/conformance/kit'
import {
  type EtcdRegistryOptions,
  etcdRegistry,
  type InvalidRecord,
} from '@micro/plugin-registry-etcd'
import { type Etcd, etcdBinary, startEtcd } from '@micro/test-services'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { closedAfterwards, countedClient, followNodes, makeNode } from './support.ts'

const binary = etcdBinary()

describe.skipIf(binary === undefined)('records in a real etcd', () => {
  let etcd: Etcd
  beforeAll(async () => {
    etcd = await startEtcd(binary ?? '')
  })
  afterAll(() => etcd.stop())
  const open = (options: EtcdRegistryOptions) =>
    closedAfterwards(etcdRegistry({ hosts: etcd.address, ...options }))

  test('key and value are as the README says', async () => {
    const registry = open({ namespace: 'teams/blue' })
    await registry.register(makeNode('a'))
    const [record] = await etcd.list('/teams/blue/')
    expect(record?.key).toBe('/teams/blue/greeter/a')
    expect(JSON.parse(record?.value ?? '')).toEqual(makeNode('a'))
  })

  test('what is no record, or lies, is passed over, told once, and stops nothing', async () => {
    const told: InvalidRecord[] = []
    const registry = open({
      namespace: 'lies',
      maxRecordSize: 1_024,
      onInvalid: (record) => told.push(record),
    })
    const text = (over = {}): string => JSON.stringify(makeNode('x', over))
    await etcd.put('/lies/greeter/broken', '{"schema":1')
    await etcd.put('/lies/greeter/future', text({ id: 'future', schema: 2 }))
    await etcd.put('/lies/greeter/pose', text({ id: 'another' }))
    await etcd.put('/lies/greeter/move', text({ id: 'move', service: 'bank' }))
    await etcd.put('/lies/greeter/large', text({ id: 'large', labels: { a: 'x'.repeat(1_024) } }))
    await etcd.put('/lies/greeter/deeper/x', text())
    await etcd.put('/lies/settings', 'of something else')
    const followed = await followNodes(registry, 'greeter')
    await etcd.put('/lies/greeter/x', text())
    await followed.until(() => followed.ids().includes('x'))
    expect(followed.ids()).toEqual(['x'])
    expect((await registry.list()).map(({ id }) => id)).toEqual(['x'])
    await registry.list()
    expect(told.map(({ key }) => key).sort()).toEqual(
      ['broken', 'future', 'large', 'move', 'pose'].map((id) => `/lies/greeter/${id}`),
    )
    expect(registry.health()).toEqual({
      status: 'up',
      detail: expect.stringMatching(/^5 records are passed over, such as \/lies\/greeter\//),
    })
    // A node that turns into nonsense has gone; one that is mended is there.
    await etcd.put('/lies/greeter/x', 'nonsense')
    await followed.until(() => followed.ids().length === 0)
    await etcd.put('/lies/greeter/broken', text({ id: 'broken' }))
    await followed.until(() => followed.ids().includes('broken'))
  })

  test('a record that is too large is refused', async () => {
    const registry = open({ maxRecordSize: 1_024 })
    const large = makeNode('a', { labels: { a: 'x'.repeat(1_024) } })
    await expect(registry.register(large)).rejects.toMatchObject({
      code: 'invalid_argument',
      detail: expect.stringContaining('option maxRecordSize'),
    })
  })

  test('one watch of etcd for each service, however many watch it', async () => {
    const counted = countedClient(etcd.address)
    const registry = closedAfterwards(etcdRegistry({ client: counted.client, namespace: 'shared' }))
    const followed = await Promise.all(
      Array.from({ length: 50 }, (_, at) => followNodes(registry, at < 25 ? 'greeter' : undefined)),
    )
    await registry.register(makeNode('a'))
    await Promise.all(followed.map((each) => each.until(() => each.ids().includes('a'))))
    expect(counted.watches).toBe(2)
    // A client that was given is not closed.
    await registry.close()
    await counted.client.kv.range({ key: Buffer.from('open') })
  })

  test('looks at all of it tell nothing where nothing has changed', async () => {
    const counted = countedClient(etcd.address)
    const registry = closedAfterwards(
      etcdRegistry({ client: counted.client, namespace: 'looks', relistInterval: 100 }),
    )
    const followed = await followNodes(registry)
    await registry.register(makeNode('a'))
    await eventually(() => expect(counted.watches).toBeGreaterThan(3))
    await registry.register(makeNode('b'))
    await followed.until(() => followed.ids().includes('b'))
    // Both may be part of the first event, which is not read until here.
    expect(followed.events.filter(({ type }) => type !== 'put').map(({ type }) => type)).toEqual([
      'reset',
    ])
  })
})

describe.skipIf(binary === undefined)('records of the Go framework', () => {
  let etcd: Etcd
  beforeAll(async () => {
    etcd = await startEtcd(binary ?? '')
  })
  afterAll(() => etcd.stop())
  const open = (namespace?: string) =>
    closedAfterwards(
      etcdRegistry({
        hosts: etcd.address,
        layout: 'go',
        ...(namespace === undefined ? {} : { namespace }),
      }),
    )
  /** As a Go service writes it. */
  const written = (over: Record<string, unknown> = {}, metadata: unknown = {}): string =>
    JSON.stringify({
      name: 'billing',
      version: '3.2.1',
      metadata: { domain: 'micro' },
      endpoints: [{ name: 'Billing.Charge', metadata: {} }],
      nodes: [{ id: 'billing-5c1e', address: '10.1.2.3:9090', metadata }],
      ...over,
    })
  const key = '/micro/register/micro/billing/billing-5c1e'

  test.each([
    [{ protocol: 'grpc', server: 'grpc' }, 'grpc', 'http://10.1.2.3:9090', 'application/proto'],
    [{ protocol: 'http' }, 'http', 'http://10.1.2.3:9090', 'application/json'],
    [{ protocol: ['grpc'] }, 'grpc', 'http://10.1.2.3:9090', 'application/proto'],
  ])('a node with metadata %o is found as %s', async (metadata, transport, url, contentType) => {
    await etcd.put(key, written({}, metadata))
    const [node] = await open().list({ service: 'billing' })
    expect(node).toMatchObject({ id: 'billing-5c1e', service: 'billing', version: '3.2.1' })
    expect(node?.endpoints).toEqual([
      { transport, url, contentTypes: expect.arrayContaining([contentType]) },
    ])
  })

  test('an address with a scheme of its own, as version 4 writes it', async () => {
    const nodes = [{ id: 'billing-5c1e', address: 'grpc://10.1.2.3:9090' }]
    await etcd.put(key, written({ nodes }))
    expect((await open().list())[0]?.endpoints[0]?.url).toBe('http://10.1.2.3:9090')
  })

  test('what is no service with one node is passed over', async () => {
    const registry = open('odd')
    const followed = await followNodes(registry)
    const place = '/micro/register/odd/billing'
    await etcd.put(`${place}/none`, written({ nodes: [] }))
    await etcd.put(
      `${place}/two`,
      written({
        nodes: [
          { id: 'two', address: 'a' },
          { id: 'b', address: 'b' },
        ],
      }),
    )
    await etcd.put(`${place}/null`, 'null')
    await etcd.put(`${place}/liar`, written({}, { 'micro-node': JSON.stringify(makeNode('liar')) }))
    await etcd.put(`${place}/billing-5c1e`, written())
    await followed.until(() => followed.ids().includes('billing-5c1e'))
    expect(followed.ids()).toEqual(['billing-5c1e'])
    expect(registry.health().detail).toMatch(/^4 records/)
  })

  test('a node of ours is written so that a Go client can call it', async () => {
    const node = makeNode('greeter-1', {
      labels: { tier: 'gold' },
      endpoints: [
        { transport: 'http', url: 'http://10.0.0.7:80', contentTypes: ['application/json'] },
        { transport: 'grpc', url: 'http://10.0.0.7:9000', contentTypes: ['application/proto'] },
      ],
      methods: [
        { name: 'hello', kind: 'unary', idempotency: 'unknown' },
        { name: 'count', kind: 'server_stream', idempotency: 'unknown' },
      ],
    })
    await open().register(node)
    const [record] = await etcd.list('/micro/register/micro/greeter/greeter-1')
    expect(JSON.parse(record?.value ?? '')).toEqual({
      name: 'greeter',
      version: '1.0.0',
      metadata: { domain: 'micro' },
      endpoints: [
        { name: 'greeter.hello', metadata: {} },
        { name: 'greeter.count', metadata: { stream: 'true' } },
      ],
      nodes: [
        {
          id: 'greeter-1',
          address: '10.0.0.7:9000',
          metadata: expect.objectContaining({
            tier: 'gold',
            domain: 'micro',
            server: 'grpc',
            protocol: 'grpc',
          }),
        },
      ],
    })
    expect(await open().list({ service: 'greeter' })).toEqual([node])
  })
})
