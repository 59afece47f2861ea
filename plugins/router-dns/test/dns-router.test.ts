import { createService, defineService, unary } from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import type { Router, Snapshot } from '@micro/core/router'
import { dnsRouter, staticRouter } from '@micro/plugin-router-dns'
import { httpTransport } from '@micro/plugin-transport-http'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type DnsServer, startDns } from './support/dns-server.ts'

let dns: DnsServer
const opened: Router[] = []
beforeEach(async () => {
  dns = await startDns()
})
afterEach(async () => {
  for (const router of opened.splice(0)) await router.close()
  await dns.close()
})

function open(options: Parameters<typeof dnsRouter>[0] = {}): Router {
  const router = dnsRouter({
    servers: [dns.address],
    minTtl: 10,
    ...(options.records === 'srv' ? {} : { port: 8080 }),
    ...options,
  })
  opened.push(router)
  return router
}

const urlsOf = ({ routes }: Snapshot): (string | undefined)[] =>
  routes.map(({ node }) => node.endpoints[0]?.url)

test('A and AAAA records are nodes at the port', async () => {
  dns.zone.set('orders.test', [
    { type: 'A', address: '10.0.0.1' },
    { type: 'AAAA', address: 'fd00:0:0:0:0:0:0:1' },
  ])
  const view = open({ name: (service) => `${service}.test`, transport: 'tcp' }).view({
    service: 'orders',
  })
  const { routes } = await view.ready()
  expect(routes.map(({ node }) => node)).toMatchObject([
    {
      id: '10.0.0.1:8080',
      service: 'orders',
      weight: 1,
      endpoints: [{ transport: 'tcp', url: 'tcp://10.0.0.1:8080' }],
    },
    { endpoints: [{ url: 'tcp://[fd00::1]:8080' }] },
  ])
})

test('SRV records are nodes of the lowest priority, with their weights', async () => {
  dns.zone.set('_http._tcp.orders', [
    { type: 'SRV', target: 'a.test', port: 81, priority: 1, weight: 3 },
    { type: 'SRV', target: 'b.test', port: 82, priority: 1, weight: 0 },
    { type: 'SRV', target: 'spare.test', port: 83, priority: 2, weight: 9 },
  ])
  dns.zone.set('_http._tcp.even', [
    { type: 'SRV', target: 'a.test', port: 81 },
    { type: 'SRV', target: 'b.test', port: 82 },
  ])
  dns.zone.set('_http._tcp.gone', [{ type: 'SRV', target: '.', port: 0 }])
  const router = open({ records: 'srv', name: (service) => `_http._tcp.${service}` })
  const weighted = await router.view({ service: 'orders' }).ready()
  expect(urlsOf(weighted)).toEqual(['http://a.test:81', 'http://b.test:82'])
  expect(weighted.routes.map(({ node }) => node.weight)).toEqual([3, 0.1])
  const even = await router.view({ service: 'even' }).ready()
  expect(even.routes.map(({ node }) => node.weight)).toEqual([1, 1])
  expect((await router.view({ service: 'gone' }).ready()).routes).toEqual([])
})

test('an answer is asked for again when its time is over, not before', async () => {
  dns.zone.set('orders', [{ type: 'A', address: '10.0.0.1', ttl: 1 }])
  const view = open().view({ service: 'orders' })
  const first = await view.ready()
  const asked = dns.asked.length
  dns.zone.set('orders', [{ type: 'A', address: '10.0.0.2', ttl: 3_600 }])
  const started = performance.now()
  expect(urlsOf(await view.changed(first))).toEqual(['http://10.0.0.2:8080'])
  // Within the second that the first one was good for, nothing was asked.
  expect(performance.now() - started).toBeGreaterThan(900)
  expect(dns.asked.length).toBe(asked + 2)
})

test('the longest time is a limit, as is the shortest', async () => {
  dns.zone.set('orders', [{ type: 'A', address: '10.0.0.1', ttl: 86_400 }])
  const view = open({ maxTtl: 50 }).view({ service: 'orders' })
  const first = await view.ready()
  dns.zone.set('orders', [{ type: 'A', address: '10.0.0.2', ttl: 0 }])
  expect(urlsOf(await view.changed(first))).toEqual(['http://10.0.0.2:8080'])
})

test('an answer that is too long for UDP is asked for over TCP', async () => {
  dns.manner = () => 'truncate'
  dns.zone.set(
    'orders',
    Array.from({ length: 200 }, (_, at) => ({ type: 'A' as const, address: `10.0.1.${at}` })),
  )
  expect((await open().view({ service: 'orders' }).ready()).routes).toHaveLength(200)
})

describe.each(['servfail', 'refuse', 'silent', 'garbage'] as const)(
  'a server that answers by %s',
  (manner) => {
    test('leaves the last answer in place, and is told of', async () => {
      dns.zone.set('orders', [{ type: 'A', address: '10.0.0.1' }])
      const router = open({ timeout: 100 })
      const view = router.view({ service: 'orders' })
      const before = await view.ready()
      dns.manner = () => manner
      const during = await view.changed(before)
      expect(during.stale).toBe(true)
      expect(urlsOf(during)).toEqual(urlsOf(before))
      expect(router.health()).toMatchObject({ status: 'degraded' })
      dns.zone.set('orders', [{ type: 'A', address: '10.0.0.2' }])
      dns.manner = () => 'answer'
      await expect
        .poll(() => (view.current?.stale === false ? urlsOf(view.current) : 'old'), {
          timeout: 10_000,
        })
        .toEqual(['http://10.0.0.2:8080'])
      expect(router.health().status).toBe('up')
    })

    test('is unavailable to begin with', async () => {
      dns.manner = () => manner
      await expect(
        open({ timeout: 100 }).view({ service: 'orders' }).ready(),
      ).rejects.toMatchObject({
        code: 'unavailable',
      })
    })
  },
)

test('services call each other by static addresses', async () => {
  const Echo = defineService('echo', { say: unary<string, string>() })
  const base = { logger: memoryLogger(), shutdown: { signals: false, spread: 0 } }
  await using server = createService({ ...base, name: 'server', transports: [httpTransport()] })
  server.handle(Echo, { say: (text) => `${text}!` })
  await server.start()
  const url = server.nodes[0]?.endpoints[0]?.url ?? ''
  const router = staticRouter({ services: { echo: [url, url] } })
  await using client = createService({
    ...base,
    name: 'client',
    router,
    transports: [httpTransport()],
  })
  expect((await router.view({ service: 'echo' }).ready()).routes).toHaveLength(1)
  expect(await client.client(Echo).say('hello')).toBe('hello!')
})

test.each([
  [{}, 'port'],
  [{ port: 0 }, 'port'],
  [{ records: 'srv', port: 80 }, 'port'],
  [{ records: 'mx', port: 80 } as object, 'records'],
  [{ port: 80, minTtl: 10, maxTtl: 5 }, 'maxTtl'],
  [{ port: 80, name: 'x' } as object, 'name'],
  [{ port: 80, ttl: 1 } as object, 'ttl'],
])('options %o are refused, by name', (options, name) => {
  expect(() => dnsRouter(options)).toThrow(new RegExp(`invalid_argument: dnsRouter option ${name}`))
})

test('static addresses that are none are refused', () => {
  expect(() => staticRouter({ services: { echo: ['10.0.0.7'] } })).toThrow(
    /staticRouter option services.echo/,
  )
  expect(() => staticRouter({ services: {}, ttl: 1 } as never)).toThrow(/staticRouter option ttl/)
})
