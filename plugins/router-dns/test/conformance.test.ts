import { routerConformance } from '@micro/conformance/router'
import type { Node } from '@micro/core/registry'
import { dnsRouter, staticRouter } from '@micro/plugin-router-dns'
import { afterAll } from 'vitest'
import { type DnsRecord, startDns } from './support/dns-server.ts'

const dns = await startDns()
afterAll(() => dns.close())
const away = new Set<string>()
dns.manner = (name) => (away.has(name.split('.')[1] ?? '') ? 'servfail' : 'answer')

function byService(nodes: readonly Node[]): Map<string, Node[]> {
  return Map.groupBy(nodes, ({ service }) => service) as Map<string, Node[]>
}

routerConformance({
  name: 'dns',
  tells: 'addresses',
  create: (scope) =>
    dnsRouter({
      name: (service) => `${service}.${scope}.test`,
      servers: [dns.address],
      port: 8080,
      minTtl: 10,
    }),
  place(scope, nodes) {
    for (const name of dns.zone.keys())
      if (name.endsWith(`.${scope}.test`.toLowerCase())) dns.zone.delete(name)
    for (const [service, placed] of byService(nodes)) {
      const records = placed.map(
        ({ endpoints }): DnsRecord => ({
          type: 'A',
          address: new URL(endpoints[0]?.url ?? '').hostname,
        }),
      )
      dns.zone.set(`${service}.${scope}.test`.toLowerCase(), records)
    }
  },
  interrupt(scope, now) {
    if (now) away.add(scope.toLowerCase())
    else away.delete(scope.toLowerCase())
  },
})

const placed = new Map<string, readonly Node[]>()

routerConformance({
  name: 'static',
  tells: 'addresses',
  live: false,
  create: (scope) =>
    staticRouter({
      services: Object.fromEntries(
        [...byService(placed.get(scope) ?? [])].map(([service, nodes]) => [
          service,
          nodes.map(({ endpoints }) => endpoints[0]?.url ?? ''),
        ]),
      ),
    }),
  place: (scope, nodes) => placed.set(scope, nodes),
})
