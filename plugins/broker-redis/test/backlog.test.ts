import { collector, message, newScope, textOf } from '@micro/broker-suite'
import type { Delivery } from '@micro/core/broker'
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { plainRead } from '../src/lane-scripts.ts'
import { hasRedis, usePlace } from './support.ts'

describe.skipIf(!hasRedis)('a backlog in a real Redis', () => {
  const place = usePlace()
  const openClient = (): Redis => {
    const client = new Redis(place.redis.port, '127.0.0.1')
    place.defer(() => client.disconnect())
    return client
  }

  test('a backlog is read and settled in whole, also where a message in its midst fails', async () => {
    const namespace = newScope()
    const broker = place.open({ namespace, partitions: 1 })
    const failing = new Set([50, 350, 351, 399, 700].map(String))
    const seen = collector((delivery) =>
      failing.has(textOf(delivery)) && delivery.attempt === 1 ? { retryAfter: 1 } : 'ack',
    )
    const isFailing = (delivery: Delivery): boolean =>
      failing.has(textOf(delivery)) && delivery.attempt === 1
    const first = await broker.subscribe(
      'a',
      (lane, batch) => {
        const at = batch.findIndex(isFailing)
        return seen.deliver(lane, at < 0 ? batch : batch.slice(0, at + 1))
      },
      { group: 'g', batch: 40 },
    )
    first.pause()
    const texts = Array.from({ length: 1_000 }, (_, at) => String(at))
    await broker.publish(
      'a',
      texts.map((text) => message(text)),
    )
    first.resume()
    await seen.until(endsWith('999'))
    await first.close()
    const retried = seen.deliveries.filter(({ attempt }) => attempt !== 1)
    expect(retried.map(textOf)).toEqual([...failing])
    expect([...new Set(seen.texts())]).toEqual(texts)
    expect(seen.deliveries).toHaveLength(texts.length + failing.size)
    const pending = await openClient().xpending(`${namespace}:{a}:0`, 'g')
    expect(pending[0]).toBe(0)
  })

  test('a subscription that is closed within a backlog leaves the rest as not delivered', async () => {
    const namespace = newScope()
    const broker = place.open({ namespace, partitions: 1 })
    const some = collector(() => 'ack')
    const first = await broker.subscribe('a', some.deliver, { group: 'g', batch: 7 })
    first.pause()
    const texts = Array.from({ length: 3_000 }, (_, at) => String(at))
    await broker.publish(
      'a',
      texts.map((text) => message(text)),
    )
    first.resume()
    await some.until((all) => all.length > 500)
    await first.close()
    const rest = collector(() => 'ack')
    await broker.subscribe('a', rest.deliver, { group: 'g' })
    await rest.until(endsWith('2999'))
    expect([...some.texts(), ...rest.texts()]).toEqual(texts)
    expect(new Set(rest.deliveries.map(({ attempt }) => attempt))).toEqual(new Set([1]))
  })

  test('what one reads who is no longer the owner reaches the next owner, in order', async () => {
    const namespace = newScope()
    const client = openClient()
    const stream = `${namespace}:{a}:0`
    const lanes = `${namespace}:{a}:group:g:lanes`
    const broker = place.open({ namespace, partitions: 1, leaseTtl: 20_000 })
    const hold = Promise.withResolvers<'ack'>()
    const seen = collector(() => hold.promise)
    await broker.subscribe('a', seen.deliver, { group: 'g' })
    await broker.publish('a', [message('0')])
    await seen.until((all) => all.length === 1)
    const token = await client.hget(lanes, '0')
    // As one does whose transaction comes too late.
    const late = plainRead({
      keys: [`${namespace}:{a}`, lanes, stream],
      head: ['0', 'another 1', 'g'],
      changes: `${namespace}:{a}:group:g:changes`,
      wanted: 2,
      settled: 'micro:0 0-1',
      consumer: 'micro:0',
    })
    const texts = Array.from({ length: 400 }, (_, at) => String(at + 1))
    await broker.publish(
      'a',
      texts.map((text) => message(text)),
    )
    const transaction = client.multi()
    for (const [command, args] of late) transaction.call(command, args)
    const answers = (await transaction.exec()) ?? []
    expect(answers.map(([error]) => error)).toEqual([null, null])
    expect(answers[1]?.[1]).toBe(null)
    hold.resolve('ack')
    await seen.until(endsWith('400'))
    expect([...new Set(seen.texts())]).toEqual(['0', ...texts])
    expect(await client.hget(lanes, '0')).not.toBe(token)
  })

  test('without leave to use transactions, a backlog is read by scripts', async () => {
    const client = openClient()
    const namespace = newScope()
    await client.acl(
      ...(['SETUSER', 'plain', 'on', '>secret', `~${namespace}:*`, `&${namespace}:*`] as const),
      ...['+@all', '-@admin', '-multi', '-exec'],
    )
    const broker = place.open({ namespace, user: 'plain', password: 'secret', partitions: 1 })
    const seen = collector(() => 'ack')
    const first = await broker.subscribe('a', seen.deliver, { group: 'g', batch: 100 })
    first.pause()
    const texts = Array.from({ length: 1_000 }, (_, at) => String(at))
    await broker.publish(
      'a',
      texts.map((text) => message(text)),
    )
    first.resume()
    await seen.until(endsWith('999'))
    expect(seen.texts()).toEqual(texts)
    await first.close()
    const pending = await client.xpending(`${namespace}:{a}:0`, 'g')
    expect(pending[0]).toBe(0)
  })
})

function endsWith(text: string): (all: readonly Delivery[]) => boolean {
  return (all) => {
    const last = all.at(-1)
    return last !== undefined && textOf(last) === text
  }
}
