import { once } from 'node:events'
import { connect } from 'node:net'
import { collector, message, newScope, textOf } from '@micro/broker-suite'
import { startTcpProxy } from '@micro/test-services'
import { describe, expect, test, vi } from 'vitest'
import { readScript } from '../src/lane-scripts.ts'
import { hasRedis, usePlace } from './support.ts'

describe.skipIf(!hasRedis)('requests that are lost on their way, to a real Redis', () => {
  const place = usePlace()

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
})
