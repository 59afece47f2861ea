import { collector, message, newScope } from '@micro/broker-suite'
import { memoryMeter } from '@micro/core/meter'
import { type RedisBrokerOptions, redisBroker } from '@micro/plugin-broker-redis'
import { makeAuthority, redisBinary, startRedis, startTcpProxy } from '@micro/test-services'
import { Redis } from 'ioredis'
import { describe, expect, test, vi } from 'vitest'
import { hasRedis, usePlace } from './support.ts'

describe.skipIf(!hasRedis)('a real Redis', () => {
  const place = usePlace()
  const openClient = (): Redis => {
    const client = new Redis(place.redis.port, '127.0.0.1')
    place.defer(() => client.disconnect())
    return client
  }

  test('an entry holds the bytes of the body, the key and each header in fields of their own', async () => {
    const namespace = newScope()
    const broker = place.open({ namespace, partitions: 1 })
    const body = Uint8Array.from([0, 255, 13, 10])
    const headers = { 'content-type': 'application/json', body: 'a header' }
    await broker.publish('a', [{ body, key: 'k', headers }])
    const [entry] = await openClient().xrangeBuffer(`${namespace}:{a}:0`, '-', '+')
    const fields = [':body', Buffer.from(body), ':key', 'k', 'content-type', 'application/json']
    expect(entry?.[1]).toEqual([...fields, 'body', 'a header'].map((one) => Buffer.from(one)))
  })

  test('what others add to a stream is delivered, if not at once', async () => {
    const namespace = newScope()
    const broker = place.open({ namespace, partitions: 2, leaseTtl: 300 })
    const seen = collector(() => 'ack')
    await broker.subscribe('a', seen.deliver, { group: 'g' })
    const fields = ['x', '1', '__proto__', 'y', ':body', 'text']
    await openClient().xadd(`${namespace}:{a}:1`, '*', ...fields)
    await seen.until((all) => all.length === 1)
    expect(seen.texts()).toEqual(['text'])
    expect(seen.deliveries[0]).toMatchObject({ headers: { x: '1' }, key: undefined })
  })

  test('another number of partitions is refused, by publishers and subscribers', async () => {
    const namespace = newScope()
    await place.open({ namespace, partitions: 4 }).publish('a', [message('1')])
    const other = place.open({ namespace, partitions: 8 })
    const refusal = { code: 'failed_precondition', detail: expect.stringContaining('4 partitions') }
    await expect(other.publish('a', [message('1')])).rejects.toMatchObject(refusal)
    await expect(other.subscribe('a', async () => [])).rejects.toMatchObject(refusal)
    await other.publish('b', [message('1')])
  })

  test('partitions are shared out as members come, go and pause', async () => {
    const namespace = newScope()
    const options = { namespace, partitions: 12, leaseTtl: 5_000 }
    const client = openClient()
    const shares = async (): Promise<number[]> => {
      const owners = new Map<string, number>()
      const lanes = await client.hgetall(`${namespace}:{a}:group:g:lanes`)
      for (const [field, token] of Object.entries(lanes)) {
        if (!/^\d+$/.test(field)) continue
        const [owner = ''] = token.split(' ')
        owners.set(owner, (owners.get(owner) ?? 0) + 1)
      }
      return [...owners.values()].sort((a, b) => a - b)
    }
    const soon = async (expected: number[]): Promise<void> =>
      await vi.waitFor(async () => expect(await shares()).toEqual(expected), { timeout: 3_000 })
    const join = () => place.open(options).subscribe('a', async () => [], { group: 'g' })
    const first = await join()
    await soon([12])
    const second = await join()
    await soon([6, 6])
    const third = await join()
    await soon([4, 4, 4])
    second.pause()
    await soon([6, 6])
    second.resume()
    await soon([4, 4, 4])
    await first.close()
    await soon([6, 6])
    await third.close()
    await soon([12])
  })

  test('who has lost a partition settles nothing of it any more', async () => {
    const namespace = newScope()
    const proxy = await startTcpProxy(place.redis.port)
    place.defer(() => proxy.stop())
    const options = { namespace, partitions: 1, leaseTtl: 300 }
    const frozen = place.open({ ...options, url: `redis://127.0.0.1:${proxy.port}` })
    const finish = Promise.withResolvers<'ack'>()
    const first = collector(() => finish.promise)
    await frozen.subscribe('a', first.deliver, { group: 'g' })
    const meter = memoryMeter()
    const broker = place.open({ ...options, meter })
    await broker.publish('a', [message('1')])
    await first.until((all) => all.length === 1)
    proxy.hold()
    const hold = Promise.withResolvers<'ack'>()
    const second = collector(() => hold.promise)
    await broker.subscribe('a', second.deliver, { group: 'g' })
    await second.until((all) => all.length === 1)
    expect(second.deliveries[0]?.attempt).toBe(2)
    proxy.release()
    finish.resolve('ack')
    await frozen.publish('b', [message('a turn')])
    await frozen.close()
    const pending = await openClient().xpending(`${namespace}:{a}:0`, 'g')
    expect(pending[0]).toBe(1)
    hold.resolve('ack')
  })

  test('a slow reader holds no more than its prefetch, and others are not slowed', async () => {
    const namespace = newScope()
    const broker = place.open({ namespace, partitions: 1, prefetch: 10, leaseTtl: 20_000 })
    const finish = Promise.withResolvers<'ack'>()
    const slow = collector(() => finish.promise)
    const quick = collector(() => 'ack')
    const behind = await broker.subscribe('a', slow.deliver, { group: 'slow' })
    await broker.subscribe('a', quick.deliver, { group: 'quick' })
    behind.pause()
    const large = 'x'.repeat(100_000)
    for (let at = 0; at < 60; at++) await broker.publish('a', [message(large)])
    behind.resume()
    await slow.until((all) => all.length === 1)
    await quick.until((all) => all.length === 60)
    const pending = await openClient().xpending(`${namespace}:{a}:0`, 'slow')
    expect(pending[0]).toBe(10)
    finish.resolve('ack')
    await slow.until((all) => all.length === 60)
  })

  test('what all groups have settled is removed; what one has not is refused room', async () => {
    const namespace = newScope()
    const options = { namespace, partitions: 1, maxLength: 20, prefetch: 2 }
    const broker = place.open(options)
    const seen = collector(() => 'ack')
    const slow = await broker.subscribe('a', async () => [], { group: 'slow' })
    await broker.subscribe('a', seen.deliver, { group: 'quick' })
    for (let at = 0; at < 20; at++) await broker.publish('a', [message(String(at))])
    const refused = broker.publish('a', [message('more')])
    await expect(refused).rejects.toMatchObject({
      code: 'resource_exhausted',
      detail: expect.stringContaining('group slow'),
    })
    await seen.until((all) => all.length === 20)
    expect(await openClient().xlen(`${namespace}:{a}:0`)).toBe(20)
    await slow.close()
    const late = collector(() => 'ack')
    await broker.subscribe('a', late.deliver, { group: 'slow' })
    await late.until((all) => all.length === 20)
    expect(new Set(late.texts()).size).toBe(20)
    await vi.waitFor(() => broker.publish('a', [message('more')]))
  })

  test('without a group the newest are kept, for who looks later', async () => {
    const namespace = newScope()
    const broker = place.open({ namespace, partitions: 1, maxLength: 20 })
    for (let at = 0; at < 105; at++) await broker.publish('a.dead', [message(String(at))])
    const entries = await openClient().xrange(`${namespace}:{a.dead}:0`, '-', '+')
    expect(entries.length).toBeGreaterThanOrEqual(10)
    expect(entries.length).toBeLessThanOrEqual(20)
    expect(entries.at(-1)?.[1]).toEqual([':body', '104'])
  })

  test('the group of a subscription without one goes with it, also with its process', async () => {
    const namespace = newScope()
    const broker = place.open({ namespace, partitions: 1 })
    const client = openClient()
    const stream = `${namespace}:{a}:0`
    const subscription = await broker.subscribe('a', async () => [])
    expect(await client.xinfo('GROUPS', stream)).toHaveLength(1)
    await subscription.close()
    expect(await client.xinfo('GROUPS', stream)).toHaveLength(0)
    // As one leaves it behind that is killed, a while later.
    await client.xgroup('CREATE', stream, ':passing:gone', '$')
    await client.zadd(`${namespace}:{a}:passing`, 1, ':passing:gone')
    const seen = collector(() => 'ack')
    await broker.subscribe('a', seen.deliver, { group: 'g' })
    await broker.publish('a', [message('1')])
    await vi.waitFor(async () => expect(await client.xinfo('GROUPS', stream)).toHaveLength(1))
  })

  test('a body that is too large, and many messages at once', async () => {
    const broker = place.open({ namespace: newScope(), maxMessageSize: 10 })
    await expect(broker.publish('a', [message('12345678901')])).rejects.toMatchObject({
      code: 'resource_exhausted',
      detail: expect.stringContaining('maxMessageSize'),
    })
    const seen = collector(() => 'ack')
    await broker.subscribe('a', seen.deliver, { group: 'g', batch: 500 })
    const texts = Array.from({ length: 5_000 }, (_, at) => String(at))
    await broker.publish(
      'a',
      texts.map((text) => message(text, 'k')),
    )
    await seen.until((all) => all.length === 5_000)
    expect(seen.texts()).toEqual(texts)
  })

  test('lag is told to a meter', async () => {
    const meter = memoryMeter()
    const broker = place.open({ namespace: newScope(), partitions: 2, leaseTtl: 150, meter })
    const finish = Promise.withResolvers<'ack'>()
    const slow = collector(() => finish.promise)
    await broker.subscribe('a', slow.deliver, { group: 'g' })
    await broker.publish('a', [message('1', 'k'), message('2', 'k'), message('3', 'k')])
    const lag = (): number =>
      meter
        .collect()
        .filter(({ name }) => name === 'messaging.redis.consumer.lag')
        .reduce((sum, { value }) => sum + value, 0)
    await vi.waitFor(() => expect(lag()).toBe(3), { timeout: 3_000 })
    finish.resolve('ack')
    await vi.waitFor(() => expect(lag()).toBe(0), { timeout: 3_000 })
  })

  test('a client that is given is used and left open', async () => {
    const client = openClient()
    const broker = place.open({ client, namespace: newScope() })
    const seen = collector(() => 'ack')
    await broker.subscribe('a', seen.deliver, { group: 'g' })
    await broker.publish('a', [message('1')])
    await seen.until((all) => all.length === 1)
    await broker.close()
    expect(await client.ping()).toBe('PONG')
    expect(client.listenerCount('ready')).toBe(0)
  })

  test('users and passwords, and what they may not', async () => {
    const client = openClient()
    await client.acl('SETUSER', 'shop', 'on', '>secret', '~shop:*', '&shop:*', '+@all', '-@admin')
    const options: RedisBrokerOptions = { user: 'shop', password: 'secret' }
    await place.open({ ...options, namespace: 'shop' }).publish('a', [message('1')])
    const elsewhere = place.open({ ...options, namespace: 'bank' })
    await expect(elsewhere.publish('a', [message('1')])).rejects.toMatchObject({
      code: 'permission_denied',
    })
    const wrong = place.open({ user: 'shop', password: 'guessed', timeout: 5_000 })
    const failure = await wrong.publish('a', [message('1')]).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'unauthenticated' })
    expect(JSON.stringify([failure, String(failure), wrong.health()])).not.toContain('guessed')
  })

  test('TLS, with certificates on both sides', async () => {
    const authority = makeAuthority()
    const server = authority.issue('redis')
    const redis = await startRedis(redisBinary() ?? '', {
      tls: { ca: authority.cert, ...server, clientCertificates: true },
    })
    place.defer(() => redis.stop())
    const tls = { ca: authority.cert, ...authority.issue('client') }
    const broker = place.open({ url: redis.url, tls })
    await broker.publish('a', [message('1')])
    const strange = place.open({ url: redis.url, timeout: 500 })
    await expect(strange.publish('a', [message('1')])).rejects.toMatchObject({
      code: 'unavailable',
      detail: expect.stringMatching(/certificate/i),
    })
  })
})

test.each<[string, unknown]>([
  ['hosts', 'redis://redis'],
  ['url', 'http://redis'],
  ['url', 'redis://:secret@redis'],
  ['url', 'redis://redis/3'],
  ['tls', { ca: 'x' }],
  ['tls.servername', 'x'],
  ['user', ''],
  ['password', ''],
  ['database', -1],
  ['client', {}],
  ['namespace', 'a b'],
  ['partitions', 0],
  ['prefetch', 1.5],
  ['leaseTtl', 1],
  ['maxLength', 0],
  ['maxMessageSize', 0],
  ['timeout', 0],
])('option %s is checked: %j', (name, value) => {
  const [option = '', part] = name.split('.')
  const given = part === undefined ? value : { [part]: value }
  const make = (): unknown => redisBroker({ [option]: given } as RedisBrokerOptions)
  expect(make).toThrow(`redisBroker: option ${name} `)
  expect(make).not.toThrow('secret')
})

test('options of an own client are refused beside a given one', () => {
  const client = new Redis({ lazyConnect: true })
  expect(() => redisBroker({ client, password: 'secret' })).toThrow('option password')
})
