import { collector, message, newScope } from '@micro/broker-suite'
import { memoryMeter } from '@micro/core/meter'
import { type NatsBrokerOptions, natsBroker } from '@micro/plugin-broker-nats'
import {
  makeAuthority,
  type Nats,
  natsBinary,
  startNats,
  startTcpProxy,
} from '@micro/test-services'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection, nkeys, type Subscription } from '@nats-io/transport-node'
import { describe, expect, test, vi } from 'vitest'
import { hasNats, usePlace } from './support.ts'

describe.skipIf(!hasNats)('a real NATS', () => {
  const place = usePlace()
  const openClient = async (): Promise<NatsConnection> => {
    const client = await connect({ servers: place.nats.url })
    place.defer(() => client.close())
    return client
  }
  const startOther = async (...given: Parameters<typeof startNats>): Promise<Nats> => {
    const nats = await startNats(...given)
    place.defer(() => nats.stop())
    return nats
  }
  const binary = natsBinary() ?? ''

  test('a message is its body, with headers of its own, under the lane of its key', async () => {
    const namespace = newScope()
    const client = await openClient()
    const raw = Promise.withResolvers<void>()
    client.subscribe(`${namespace}.>`, {
      callback: (_error, { subject, data, headers }) => {
        expect(subject).toMatch(new RegExp(`^${namespace}\\.orders~made\\.[0-3]$`))
        expect([...data]).toEqual([0, 255, 13, 10])
        expect(headers?.get('content-type')).toBe('application/json')
        expect(headers?.get('Micro-Key')).toBe('%D0%BA%201')
        expect(headers?.get('Nats-Msg-Id')).toMatch(/^[0-9a-f-]{36}$/)
        raw.resolve()
      },
    })
    await client.flush()
    const headers = { 'content-type': 'application/json' }
    const body = Uint8Array.from([0, 255, 13, 10])
    await place.open({ namespace }).publish('orders.made', [{ body, key: 'к 1', headers }])
    await raw.promise
  })

  test('what others publish to the stream is delivered', async () => {
    const namespace = newScope()
    const seen = collector(() => 'ack')
    await place.open({ namespace }).subscribe('a', seen.deliver, { group: 'g' })
    ;(await openClient()).publish(`${namespace}.a.1`, 'text')
    await seen.until((all) => all.length === 1)
    expect(seen.texts()).toEqual(['text'])
    expect(seen.deliveries[0]).toMatchObject({ headers: {}, key: undefined, attempt: 1 })
    expect(Math.abs((seen.deliveries[0]?.timestamp ?? 0) - Date.now())).toBeLessThan(60_000)
  })

  test('a stream that is not as it must be is refused, with what is wrong', async () => {
    const namespace = newScope()
    await place.open({ namespace, lanes: 4 }).publish('a', [message('1')])
    const refusal = (text: string) => ({
      code: 'failed_precondition',
      detail: expect.stringContaining(text),
    })
    const other = place.open({ namespace, lanes: 8 })
    await expect(other.publish('a', [message('1')])).rejects.toMatchObject(refusal('4 lanes'))
    await expect(other.subscribe('a', async () => [])).rejects.toMatchObject(refusal('8 lanes'))
    const interest = place.open({ namespace, stream: { retention: 'interest' } })
    await expect(interest.publish('a', [message('1')])).rejects.toMatchObject(refusal('retention'))
  })

  test('a consumer that is not as it must be is refused, with what is wrong', async () => {
    const namespace = newScope()
    const first = place.open({ namespace })
    await (await first.subscribe('a', async () => [], { group: 'g' })).close()
    const other = place.open({ namespace, ackWait: 5_000 })
    await expect(other.subscribe('a', async () => [], { group: 'g' })).rejects.toMatchObject({
      code: 'failed_precondition',
      detail: expect.stringContaining('ack_wait'),
    })
  })

  test('consumers that an operator has deleted are made anew, and nothing is lost', async () => {
    const namespace = newScope()
    const broker = place.open({ namespace, lanes: 1 })
    const seen = collector(() => 'ack')
    await broker.subscribe('a', seen.deliver, { group: 'g' })
    await broker.publish('a', [message('1')])
    await seen.until((all) => all.length === 1)
    const client = await openClient()
    const manager = await jetstreamManager(client)
    await manager.consumers.delete(`${namespace}~~a`, 'g~0')
    await broker.publish('a', [message('2'), message('3')])
    await seen.until((all) => all.length === 3)
    expect(seen.texts()).toEqual(['1', '2', '3'])
  })

  test('a stream that has gone is made anew by who uses it', async () => {
    const namespace = newScope()
    const broker = place.open({ namespace, lanes: 1 })
    const seen = collector(() => 'ack')
    await broker.subscribe('a', seen.deliver, { group: 'g' })
    await broker.publish('a', [message('1'), message('2')])
    await seen.until((all) => all.length === 2)
    const manager = await jetstreamManager(await openClient())
    await manager.streams.delete(`${namespace}~~a`)
    await broker.publish('a', [message('3')])
    await seen.until((all) => all.length === 3)
  })

  test('the consumers of a subscription without a group go with it', async () => {
    const namespace = newScope()
    const broker = place.open({ namespace })
    const manager = await jetstreamManager(await openClient())
    const count = async () => (await manager.streams.info(`${namespace}~~a`)).state.consumer_count
    const subscription = await broker.subscribe('a', async () => [])
    expect(await count()).toBe(4)
    await subscription.close()
    expect(await count()).toBe(0)
  })

  test('with interest, what all groups have settled is removed', async () => {
    const namespace = newScope()
    const broker = place.open({ namespace, stream: { retention: 'interest' } })
    const manager = await jetstreamManager(await openClient())
    const seen = collector(() => 'ack')
    await broker.subscribe('a', seen.deliver, { group: 'g' })
    const idle = await broker.subscribe('a', seen.deliver, { group: 'idle' })
    idle.pause()
    await broker.publish('a', [message('1')])
    const held = async () => (await manager.streams.info(`${namespace}~~a`)).state.messages
    await seen.until((all) => all.length === 1)
    expect(await held()).toBe(1)
    idle.resume()
    await seen.until((all) => all.length === 2)
    await vi.waitFor(async () => expect(await held()).toBe(0))
  })

  test('a full stream refuses rather than loses', async () => {
    const namespace = newScope()
    const broker = place.open({ namespace, stream: { maxBytes: 2_000 } })
    const large = 'x'.repeat(1_500)
    await broker.publish('a', [message(large)])
    await expect(broker.publish('a', [message(large)])).rejects.toMatchObject({
      code: 'resource_exhausted',
    })
  })

  test('bodies that are too large, for the broker or the server', async () => {
    const small = place.open({ namespace: newScope(), maxMessageSize: 10 })
    const refusal = { code: 'resource_exhausted', detail: expect.stringContaining('max_payload') }
    await expect(small.publish('a', [message('12345678901')])).rejects.toMatchObject(refusal)
    const broker = place.open({ namespace: newScope(), maxMessageSize: 10_000_000 })
    await broker.connect()
    const huge = { body: new Uint8Array(2_000_000), headers: {} }
    await expect(broker.publish('a', [huge])).rejects.toMatchObject(refusal)
  })

  test('many messages at once keep their order', async () => {
    const broker = place.open({ namespace: newScope() })
    const seen = collector(() => 'ack')
    await broker.subscribe('a', seen.deliver, { group: 'g' })
    const texts = Array.from({ length: 1_000 }, (_, at) => String(at))
    await broker.publish(
      'a',
      texts.map((text) => message(text, 'k')),
    )
    await seen.until((all) => all.length === texts.length)
    expect(seen.texts()).toEqual(texts)
  })

  test('in order, the messages of one key are shared by all members of a group, in turns', async () => {
    const namespace = newScope()
    const order: string[] = []
    const member = async (name: string) => {
      const seen = collector((delivery) => {
        order.push(new TextDecoder().decode(delivery.body))
        return 'ack'
      })
      await place.open({ namespace }).subscribe('a', seen.deliver, { group: 'g' })
      return { name, seen }
    }
    const members = [await member('first'), await member('second')]
    const numbers = Array.from({ length: 400 }, (_, at) => String(at))
    await place.open({ namespace }).publish(
      'a',
      numbers.map((text) => message(text, 'k')),
    )
    await vi.waitFor(() => expect(order).toEqual(numbers), { timeout: 20_000 })
    for (const { seen } of members) expect(seen.deliveries.length).toBeGreaterThan(100)
  })

  test('without order a slow reader holds no more than its prefetch, and others are not slowed', async () => {
    const namespace = newScope()
    const options = { namespace, ordered: false, lanes: 1, prefetch: 10, ackWait: 20_000 }
    const broker = place.open(options)
    const finish = Promise.withResolvers<'ack'>()
    const slow = collector(() => finish.promise)
    const quick = collector(() => 'ack')
    await broker.subscribe('a', slow.deliver, { group: 'slow' })
    await broker.subscribe('a', quick.deliver, { group: 'quick' })
    const large = 'x'.repeat(100_000)
    for (let at = 0; at < 60; at++) await broker.publish('a', [message(large)])
    await quick.until((all) => all.length === 60)
    const manager = await jetstreamManager(await openClient())
    const info = await manager.consumers.info(`${namespace}~~a`, 'slow~all')
    expect(info.num_ack_pending).toBe(10)
    finish.resolve('ack')
    await slow.until((all) => all.length === 60)
  })

  test('core NATS: what comes when a subscription has no room is lost, and told', async () => {
    const meter = memoryMeter()
    const broker = place.open({
      namespace: newScope(),
      mode: 'core',
      maxQueued: 10,
      lanes: 1,
      meter,
    })
    const finish = Promise.withResolvers<'ack'>()
    const slow = collector(() => finish.promise)
    await broker.subscribe('a', slow.deliver)
    for (let at = 0; at < 50; at++) await broker.publish('a', [message(String(at))])
    const dropped = (): number =>
      meter
        .collect()
        .filter(({ name }) => name === 'messaging.nats.consumer.dropped')
        .reduce((sum, { value }) => sum + value, 0)
    await vi.waitFor(() => expect(dropped()).toBeGreaterThan(30))
    expect(broker.health()).toMatchObject({ status: 'degraded' })
    finish.resolve('ack')
    await slow.until((all) => all.length === 50 - dropped())
  })

  test('core NATS: subscriptions survive a restart', async () => {
    const nats = await startOther(binary, { jetstream: false })
    const options = { servers: nats.url, mode: 'core' as const, timeout: 10_000 }
    const broker = place.open(options)
    const seen = collector(() => 'ack')
    await broker.subscribe('a', seen.deliver, { group: 'g' })
    await nats.restart()
    await vi.waitFor(
      async () => {
        await broker.publish('a', [message('1')])
        expect(seen.texts()).toContain('1')
      },
      { timeout: 10_000 },
    )
  })

  test('a server without JetStream is refused clearly', async () => {
    const nats = await startOther(binary, { jetstream: false })
    const broker = place.open({ servers: nats.url, timeout: 500 })
    await expect(broker.publish('a', [message('1')])).rejects.toMatchObject({
      detail: expect.stringContaining('JetStream'),
    })
  })

  test('lag is told to a meter', async () => {
    const meter = memoryMeter()
    const broker = place.open({ namespace: newScope(), ackWait: 200, meter })
    const finish = Promise.withResolvers<'ack'>()
    const slow = collector(() => finish.promise)
    await broker.subscribe('a', slow.deliver, { group: 'g' })
    await broker.publish('a', [message('1', 'k'), message('2', 'k'), message('3', 'k')])
    const lag = (): number =>
      meter
        .collect()
        .filter(({ name }) => name === 'messaging.nats.consumer.lag')
        .reduce((sum, { value }) => sum + value, 0)
    await vi.waitFor(() => expect(lag()).toBe(3), { timeout: 3_000 })
    finish.resolve('ack')
    await vi.waitFor(() => expect(lag()).toBe(0), { timeout: 3_000 })
  })

  test('a connection that is given is used and left open', async () => {
    const connection = await openClient()
    const subscribing = vi.spyOn(connection, 'subscribe')
    const broker = place.open({ connection, namespace: newScope() })
    const seen = collector(() => 'ack')
    await broker.subscribe('a', seen.deliver, { group: 'g' })
    await broker.publish('a', [message('1')])
    await seen.until((all) => all.length === 1)
    await broker.close()
    expect(connection.isClosed()).toBe(false)
    await connection.flush()
    const subscriptions = subscribing.mock.results.map(({ value }) => value as Subscription)
    expect(subscriptions.map((one) => one.isClosed())).toEqual(subscriptions.map(() => true))
    expect(subscriptions.length).toBeGreaterThan(1)
  })

  test('a message whose answer was lost is in the stream once', async () => {
    const namespace = newScope()
    let lost = false
    const proxy = await startTcpProxy(place.nats.port, (chunk) => {
      if (lost || !chunk.includes('precious')) return 'pass'
      lost = true
      return 'pass-and-cut'
    })
    place.defer(() => proxy.stop())
    const broker = place.open({ servers: `nats://127.0.0.1:${proxy.port}`, namespace })
    await broker.publish('a', [message('precious')])
    expect(lost).toBe(true)
    const manager = await jetstreamManager(await openClient())
    expect((await manager.streams.info(`${namespace}~~a`)).state.messages).toBe(1)
  })

  test.each<[string, string, NatsBrokerOptions, NatsBrokerOptions]>([
    [
      'users',
      'authorization { users = [{ user: shop, password: secret }] }',
      { user: 'shop', password: 'secret' },
      { user: 'shop', password: 'guessed' },
    ],
    ['tokens', 'authorization { token: secret }', { token: 'secret' }, { token: 'guessed' }],
  ])('%s', async (_name, config, right, wrong) => {
    const nats = await startOther(binary, { config })
    await place.open({ servers: nats.url, ...right }).publish('a', [message('1')])
    const stranger = place.open({ servers: nats.url, ...wrong })
    const failure = await stranger.publish('a', [message('1')]).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'unauthenticated' })
    expect(JSON.stringify([String(failure), stranger.health()])).not.toContain('guessed')
  })

  test('nkeys', async () => {
    const user = nkeys.createUser()
    const config = `authorization { users = [{ nkey: ${user.getPublicKey()} }] }`
    const nats = await startOther(binary, { config })
    const nkey = new TextDecoder().decode(user.getSeed())
    await place.open({ servers: nats.url, nkey }).publish('a', [message('1')])
    const other = new TextDecoder().decode(nkeys.createUser().getSeed())
    const stranger = place.open({ servers: nats.url, nkey: other })
    await expect(stranger.connect()).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test('what a user may not', async () => {
    const config = `authorization { users = [{ user: u, password: p, permissions: {
      publish: ["$JS.API.>", "shop.>"], subscribe: ["_INBOX.>"] } }] }`
    const nats = await startOther(binary, { config })
    const login = { servers: nats.url, user: 'u', password: 'p' }
    await place.open({ ...login, namespace: 'shop' }).publish('a', [message('1')])
    const elsewhere = place.open({ ...login, namespace: 'bank' })
    await expect(elsewhere.publish('a', [message('1')])).rejects.toMatchObject({
      code: 'permission_denied',
    })
  })

  test('TLS, with certificates on both sides', async () => {
    const authority = makeAuthority()
    const server = authority.issue('nats', 'DNS:nats.test')
    const nats = await startOther(binary, {
      tls: { ca: authority.cert, ...server, clientCertificates: true },
    })
    const tls = { ca: authority.cert, serverName: 'nats.test', ...authority.issue('client') }
    await place.open({ servers: nats.url, tls }).publish('a', [message('1')])
    const strange = place.open({ servers: nats.url, timeout: 500 })
    await expect(strange.publish('a', [message('1')])).rejects.toMatchObject({
      code: 'unavailable',
      detail: expect.stringMatching(/certificate/i),
    })
  })
})

test.each<[string, unknown]>([
  ['hosts', 'nats://nats'],
  ['servers', 'http://nats'],
  ['servers', []],
  ['servers', 'nats://secret@nats'],
  ['mode', 'both'],
  ['tls.caFile', 'x'],
  ['tls', { cert: 'x' }],
  ['user', ''],
  ['password', 'secret'],
  ['token', 1],
  ['nkey', ''],
  ['credentials', ''],
  ['connection', {}],
  ['namespace', 'a.b'],
  ['lanes', 0],
  ['ordered', 'yes'],
  ['prefetch', 1.5],
  ['ackWait', 1],
  ['domain', 'a b'],
  ['stream.retention', 'workqueue'],
  ['stream.storage', 'tape'],
  ['stream.maxAge', -1],
  ['stream.maxBytes', -1],
  ['stream.replicas', 0],
  ['stream.subjects', []],
  ['maxMessageSize', 0],
  ['maxQueued', 0],
  ['timeout', 0],
])('option %s is checked: %j', (name, value) => {
  const [option = '', part] = name.split('.')
  const given = part === undefined ? value : { [part]: value }
  const make = (): unknown => natsBroker({ [option]: given } as NatsBrokerOptions)
  const told = name === 'password' ? 'user' : name
  expect(make).toThrow(`natsBroker: option ${told} `)
  expect(make).not.toThrow('secret')
})

test('one login only, and none beside a connection', () => {
  expect(() => natsBroker({ token: 't', nkey: 'n' })).toThrow('option nkey')
  const connection = { publish() {}, subscribe() {}, request() {}, status() {} }
  const options = { connection: connection as unknown as NatsConnection, token: 'secret' }
  expect(() => natsBroker(options)).toThrow('option token')
})
