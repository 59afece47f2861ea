import type { Node, Registry } from '@micro/core/registry'
import { expect } from 'vitest'
import type { Trait } from '../kit/trait.ts'
import { idsOf, listedIds, lists, nodeOf } from './nodes.ts'

const full: Node = {
  schema: 1,
  id: 'orders-7f9c.A_1',
  service: 'shop.orders-v2_eu',
  version: '1.2.3-rc.1+build.5',
  weight: 0.25,
  zone: 'eu-west-1a',
  labels: { tier: 'gold', empty: '', 'app.kubernetes.io/name': 'orders' },
  endpoints: [
    {
      transport: 'http',
      url: 'https://[2001:db8::7]:8443/base?x=1&y=%20#z',
      contentTypes: ['application/proto', 'application/json'],
    },
    { transport: 'tcp', url: 'tcp://10.0.0.7:9000', contentTypes: [] },
  ],
  methods: [
    { name: 'place', kind: 'unary', idempotency: 'unknown' },
    { name: 'get', kind: 'unary', idempotency: 'no_side_effects' },
    { name: 'follow', kind: 'server_stream', idempotency: 'idempotent' },
    { name: 'import', kind: 'client_stream', idempotency: 'unknown' },
    { name: 'chat', kind: 'bidi_stream', idempotency: 'unknown' },
  ],
}

/** Records that a backend might change on their way through: each must come back as it went in. */
const records: readonly (readonly [what: string, node: Node])[] = [
  ['every field', full],
  ['the fewest fields', nodeOf('a', { version: '', endpoints: [] })],
  ['a weight of 0', nodeOf('a', { weight: 0 })],
  ['the greatest weight', nodeOf('a', { weight: 1_000_000 })],
  ['no methods, which is not the same as unknown ones', nodeOf('a', { methods: [] })],
  [
    'labels beyond ASCII',
    nodeOf('a', {
      zone: 'Zürich 東京',
      labels: {
        größe: 'über',
        名前: '注文 🛒',
        quoted: '"\\\n\t/\u0000;=,',
        combining: 'e\u0301 é',
      },
    }),
  ],
  [
    'labels named like members of objects',
    nodeOf('a', { labels: { constructor: '1', length: '2' } }),
  ],
  ['ids and services of 255 characters', nodeOf('i'.repeat(255), { service: 's'.repeat(255) })],
  ['a long label', nodeOf('a', { labels: { note: 'x'.repeat(2_000) } })],
]

export const listing: Trait<Registry> = {
  name: 'listing',
  cases: [
    {
      name: 'nothing registered, nothing listed',
      run: async (harness) => {
        const registry = await harness.open()
        expect(await registry.list()).toEqual([])
        expect(await registry.list({ service: 'orders' })).toEqual([])
      },
    },
    {
      name: 'all services, or one',
      run: async (harness) => {
        const writer = await harness.open()
        const registry = await harness.open()
        await writer.register(nodeOf('a'))
        await writer.register(nodeOf('b', { service: 'payments' }))
        await writer.register(nodeOf('c'))
        await lists(registry, [nodeOf('a'), nodeOf('b', { service: 'payments' }), nodeOf('c')])
        await lists(registry, [nodeOf('a'), nodeOf('c')], 'orders')
        await lists(registry, [nodeOf('b', { service: 'payments' })], 'payments')
      },
    },
    {
      name: 'a service without nodes is empty, though others are alike',
      run: async (harness) => {
        const registry = await harness.open()
        const alike = ['orders-eu', 'order', 'Orders', 'orders.eu', 'ordersx', 'my-orders']
        await Promise.all(
          alike.map((service) => registry.register(nodeOf(`of-${service}`, { service }))),
        )
        expect(await listedIds(registry, 'orders')).toEqual([])
        for (const service of alike) {
          expect(await listedIds(registry, service)).toEqual([`of-${service}`])
        }
      },
    },
    {
      name: 'ids that differ in case or by a suffix are different nodes',
      run: async (harness) => {
        const registry = await harness.open()
        const nodes = ['a', 'A', 'a.b', 'a-b', 'a_b', 'ab', '0'].map((id) => nodeOf(id))
        for (const node of nodes) await registry.register(node)
        expect(await listedIds(registry)).toEqual(idsOf(nodes))
        await registry.deregister(nodeOf('a'))
        expect(await listedIds(registry)).toEqual(idsOf(nodes.slice(1)))
      },
    },
    ...records.map(([what, node]) => ({
      name: `${what}: listed as registered`,
      run: async (harness: Parameters<Trait<Registry>['cases'][number]['run']>[0]) => {
        const writer = await harness.open()
        const reader = await harness.open()
        await writer.register(node)
        expect(await writer.list()).toEqual([node])
        await lists(reader, [node])
        await lists(reader, [node], node.service)
        await writer.deregister(node)
        await lists(reader, [])
      },
    })),
  ],
}
