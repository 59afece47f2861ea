import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { createMessaging, defineUncheckedTopic } from '@micro/core/broker'
import { jsonCodec } from '@micro/core/codec'
import { sleep } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import { memoryLogger } from '@micro/core/logger'
import { redisBroker } from '@micro/plugin-broker-redis'
import { startTcpProxy } from '@micro/test-services'
import { describe, expect, test, vi } from 'vitest'
import { readScript } from '../src/lane-scripts.ts'
import { collector, hasRedis, message, newScope, textOf, usePlace } from './support.ts'

/** How long the server is away: 30 s at full size, 1.5 s otherwise. */
const away = 30_000 * Number(process.env['MICRO_SCALE'] ?? '0.05')

describe.skipIf(!hasRedis)('a real Redis', () => {
  const place = usePlace()

  test('killed and restarted while messages flow: nothing that was acknowledged is lost', async () => {
    const namespace = newScope()
    const broker = place.open({ namespace, timeout: 20_000 })
    const seen = collector(() => 'ack')
    await broker.subscribe('a', seen.deliver, { group: 'g' })
    const taken: string[] = []
    let stopped = false
    const publishing = (async () => {
      for (let number = 0; !stopped; number++) {
        await broker.publish('a', [message(String(number), `k${number % 5}`)])
        taken.push(String(number))
      }
    })()
    for (let round = 0; round < 3; round++) {
      const least = taken.length + 100
      while (taken.length < least) await sleep(5)
      await place.redis.restart()
    }
    stopped = true
    await publishing
    await seen.until((all) => new Set(all.map(textOf)).size === taken.length)
    // None was added twice, though some answers were lost.
    expect(new Set(seen.deliveries.map(({ id }) => id)).size).toBe(taken.length)
    for (let key = 0; key < 5; key++) {
      const ofKey = seen.deliveries.filter((one) => one.key === `k${key}`).map(textOf)
      const first = [...new Set(ofKey)].map(Number)
      expect(first).toEqual([...first].sort((a, b) => a - b))
    }
  })

  test('away for long: publishing fails clearly in time, and all goes on afterwards', async () => {
    const broker = place.open({ namespace: newScope(), timeout: 300 })
    const seen = collector(() => 'ack')
    await broker.subscribe('a', seen.deliver, { group: 'g' })
    await place.redis.kill()
    const failure = await broker.publish('a', [message('lost')]).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'unavailable' })
    expect(String(failure)).toContain('Redis cannot be reached')
    expect(broker.health()).toMatchObject({ status: 'degraded' })
    await sleep(away)
    await place.redis.restart()
    // It tries again at growing intervals, of at most two seconds.
    while ((await broker.connect().catch((error: unknown) => error)) !== undefined);
    await broker.publish('a', [message('after')])
    await seen.until((all) => all.some((one) => textOf(one) === 'after'))
    expect(seen.texts()).toEqual(['after'])
    await vi.waitFor(() => expect(broker.health()).toEqual({ status: 'up' }))
  }, 90_000)

  test('a publisher that has an abort in time is let go with its reason', async () => {
    const broker = place.open({ namespace: newScope(), timeout: 20_000 })
    await broker.publish('a', [message('1')])
    place.redis.pause()
    place.defer(() => place.redis.resume())
    const controller = new AbortController()
    const publishing = broker.publish('a', [message('2')], { signal: controller.signal })
    const reason = new Error('mine')
    controller.abort(reason)
    await expect(publishing).rejects.toBe(reason)
    place.redis.resume()
  })

  test('a process that is killed in hand: another gets the message, counted, and what follows', async () => {
    const namespace = newScope()
    const heir = place.open({ namespace })
    const { child, line } = await (async () => {
      const running = place.run('take-and-hang.ts', place.redis.url, namespace)
      const publisher = place.open({ namespace })
      for (;;) {
        const first = await Promise.race([running, sleep(100)])
        if (first !== undefined) return first
        // Until its group is there, nothing is kept for it.
        await publisher.publish('a', [message('poke', 'k')])
      }
    })()
    expect(line).toBe('poke')
    const seen = collector(() => 'ack')
    await heir.subscribe('a', seen.deliver, { group: 'g' })
    await heir.publish('a', [message('next', 'k')])
    child.kill('SIGKILL')
    await once(child, 'exit')
    await seen.until((all) => all.some((one) => textOf(one) === 'next'))
    expect(seen.deliveries[0]).toMatchObject({ attempt: 2 })
    expect(seen.texts().at(-1)).toBe('next')
  })

  test('a handler slower than the lease is not overtaken while its process lives', async () => {
    const namespace = newScope()
    const options = { namespace, leaseTtl: 200 }
    const started = Promise.withResolvers<void>()
    const slow = collector(async () => {
      started.resolve()
      await sleep(1_000)
      return 'ack' as const
    })
    const first = place.open(options)
    await first.subscribe('a', slow.deliver, { group: 'g' })
    await first.publish('a', [message('1', 'k')])
    await started.promise
    const other = collector(() => 'ack')
    await place.open(options).subscribe('a', other.deliver, { group: 'g' })
    await first.publish('a', [message('2', 'k')])
    const both = (): string[] => [...slow.texts(), ...other.texts()]
    await Promise.race([
      slow.until(() => both().includes('2')),
      other.until(() => both().includes('2')),
    ])
    expect(both()).toEqual(['1', '2'])
    expect(slow.deliveries[0]?.attempt).toBe(1)
  })

  test('poison goes to the dead letters, with the reason, and the lane goes on', async () => {
    const broker = place.open({ namespace: newScope() })
    const messaging = createMessaging({
      ...{ broker, logger: memoryLogger(), codecs: [jsonCodec()] },
    })
    const topic = defineUncheckedTopic<string>('a')
    const handled = Promise.withResolvers<void>()
    let attempts = 0
    const letters = collector(() => 'ack')
    await broker.subscribe('a.dead', letters.deliver, { group: 'operator' })
    await messaging.subscribe(
      topic,
      ({ value }) => {
        if (value === 'good') return handled.resolve()
        attempts += 1
        throw new Error('poison')
      },
      { group: 'g', maxDeliveries: 3, retryDelay: 5 },
    )
    await messaging.publishAll(topic, ['bad', 'good'], { key: 'k' })
    await handled.promise
    await letters.until((all) => all.length === 1)
    expect(attempts).toBe(3)
    expect(letters.deliveries[0]).toMatchObject({ key: 'k' })
    expect(letters.deliveries[0]?.headers).toMatchObject({
      'dead-letter-reason': 'Error: poison',
      'dead-letter-attempts': '3',
    })
  })

  test('connections that are cut again and again, answers lost: each message once, in order', async () => {
    const namespace = newScope()
    let chunks = 0
    const proxy = await startTcpProxy(place.redis.port, () => {
      chunks += 1
      if (chunks < 60) return 'pass'
      if (chunks % 40 === 0) return 'cut'
      return chunks % 40 === 20 ? 'pass-and-cut' : 'pass'
    })
    place.defer(() => proxy.stop())
    const url = `redis://127.0.0.1:${proxy.port}`
    const broker = place.open({ url, namespace, timeout: 20_000, leaseTtl: 20_000 })
    const seen = collector(() => 'ack')
    await broker.subscribe('a', seen.deliver, { group: 'g' })
    const texts = Array.from({ length: 300 }, (_, at) => String(at))
    for (const text of texts) await broker.publish('a', [message(text, 'k')])
    await seen.until((all) => new Set(all.map(textOf)).size === texts.length)
    expect([...new Set(seen.deliveries.map(({ id }) => id))]).toHaveLength(texts.length)
    expect([...new Set(seen.texts())]).toEqual(texts)
  })

  test('a request that Redis runs after it was given up takes nothing from who asks anew', async () => {
    const namespace = newScope()
    let late: Buffer | undefined
    let armed = false
    const proxy = await startTcpProxy(place.redis.port, (chunk) => {
      if (!armed || !chunk.includes(readScript.sha)) return 'pass'
      armed = false
      late = chunk
      return 'cut'
    })
    place.defer(() => proxy.stop())
    const options = { namespace, partitions: 1, timeout: 20_000, leaseTtl: 20_000 }
    const broker = place.open({ ...options, url: `redis://127.0.0.1:${proxy.port}` })
    const publisher = place.open(options)
    const finish = Promise.withResolvers<'ack'>()
    const seen = collector(() => finish.promise)
    await broker.subscribe('a', seen.deliver, { group: 'g' })
    armed = true
    await publisher.publish('a', [message('0')])
    await seen.until((all) => all.length === 1)
    await publisher.publish('a', [message('1'), message('2')])
    // The server gets to the bytes of the connection that has ended.
    const socket = connect(place.redis.port, '127.0.0.1')
    place.defer(() => socket.destroy())
    socket.write(late ?? '')
    await once(socket, 'data')
    finish.resolve('ack')
    await seen.until((all) => all.length >= 3)
    expect(seen.texts()).toEqual(['0', '1', '2'])
  })

  test('a backlog over connections that are cut, and servers that are killed: nothing is lost', async () => {
    const namespace = newScope()
    let chunks = 0
    const proxy = await startTcpProxy(place.redis.port, () => {
      chunks += 1
      if (chunks < 60 || chunks % 40 > 0) return 'pass'
      return chunks % 80 === 0 ? 'cut' : 'pass-and-cut'
    })
    place.defer(() => proxy.stop())
    const options = { namespace, partitions: 2, timeout: 20_000, leaseTtl: 20_000 }
    const broker = place.open({ ...options, url: `redis://127.0.0.1:${proxy.port}` })
    const publisher = place.open(options)
    const different = new Set<string>()
    const seen = collector((delivery) => {
      different.add(textOf(delivery))
      return 'ack'
    })
    const subscription = await broker.subscribe('a', seen.deliver, { group: 'g', batch: 50 })
    const texts = Array.from({ length: 12_000 }, (_, at) => String(at))
    for (let at = 0; at < texts.length; at += 1_000) {
      const some = texts.slice(at, at + 1_000)
      await publisher.publish(
        'a',
        some.map((text) => message(text, `k${Number(text) % 5}`)),
      )
      if (at === 6_000) await place.redis.restart()
    }
    await vi.waitFor(() => expect(different.size).toBe(texts.length), { timeout: 25_000 })
    for (let key = 0; key < 5; key++) {
      const ofKey = seen.deliveries.filter((one) => one.key === `k${key}`).map(textOf)
      const first = [...new Set(ofKey)].map(Number)
      expect(first).toEqual([...first].sort((a, b) => a - b))
    }
    await subscription.close()
  })

  test('a connection that says nothing is given up for a new one', async () => {
    const proxy = await startTcpProxy(place.redis.port)
    place.defer(() => proxy.stop())
    const url = `redis://127.0.0.1:${proxy.port}`
    const broker = place.open({ url, namespace: newScope(), timeout: 400, leaseTtl: 10_000 })
    const seen = collector(() => 'ack')
    await broker.subscribe('a', seen.deliver, { group: 'g' })
    proxy.hold()
    const failure = await broker.publish('a', [message('1')]).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'unavailable' })
    proxy.release()
    await broker.connect()
    await broker.publish('a', [message('2')])
    await seen.until((all) => all.some((one) => textOf(one) === '2'))
  })

  test('close does not wait for a Redis that is away, nor for a handler whose lease is over', async () => {
    const broker = place.open({ namespace: newScope(), timeout: 300, leaseTtl: 300 })
    const started = Promise.withResolvers<void>()
    await broker.subscribe('a', () => {
      started.resolve()
      return new Promise(() => undefined)
    })
    await broker.publish('a', [message('1')])
    await started.promise
    place.redis.pause()
    place.defer(() => place.redis.resume())
    await sleep(400)
    await broker.close()
    expect(broker.health().status).toBe('down')
    place.redis.resume()
  })

  test('a server that is no Redis', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.end('SSH-2.0-OpenSSH_9.6\r\n')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    place.defer(() => server.close())
    const { port } = server.address() as { port: number }
    const broker = redisBroker({ url: `redis://127.0.0.1:${port}`, timeout: 300 })
    place.defer(() => broker.close())
    const failure = await broker.connect().catch((error: unknown) => error)
    expect(MicroError.is(failure, 'unavailable'), String(failure)).toBe(true)
  })
})
