import type { Delivery } from '@micro/core/broker'
import { memoryMeter } from '@micro/core/meter'
import { describe, expect, test } from 'vitest'
import { useBare, useKafka } from './fixture.ts'
import type { Subject } from './subject.ts'
import { message, newName, range, textOf, until } from './support.ts'

/** Has to be awaited at the top of a file of tests. */
export async function messageTests(subject: Subject): Promise<void> {
  const { kafka, brokers, open, openMortal } = await useKafka(subject)
  const bare = await useBare(subject, brokers, kafka !== undefined)

  describe.skipIf(kafka === undefined)('on the wire', () => {
    test('the value is the body, headers are headers, the key is the key', async () => {
      const broker = open()
      const topic = newName()
      await broker.publish(topic, [
        message('one', { key: 'ключ', headers: { 'content-type': 'text/plain', empty: '' } }),
        message('two'),
      ])
      const found = await bare.read(topic, 2)
      expect(found.find(({ value }) => value === 'one')).toMatchObject({
        key: 'ключ',
        headers: { 'content-type': 'text/plain', empty: '' },
      })
      expect(found.find(({ value }) => value === 'two')).toMatchObject({
        key: undefined,
        headers: {},
      })
    })

    test('keys are in the partition where other clients put them, also compressed', async () => {
      const topic = newName()
      await open({ compression: 'gzip' }).publish(
        topic,
        range(30).map((key) => message('ours', { key })),
      )
      const messages = range(30).map((key) => ({ key, value: 'theirs' }))
      await bare.publish(topic, messages, 'gzip')
      const found = await bare.read(topic, 60)
      for (const key of range(30)) {
        const partitions = found.filter((one) => one.key === key).map(({ partition }) => partition)
        expect(partitions).toHaveLength(2)
        expect(new Set(partitions).size).toBe(1)
      }
      expect(new Set(found.map(({ partition }) => partition)).size).toBe(4)
    })

    test('what others publish arrives: no headers, no value, bytes that are no text, one header twice', async () => {
      const broker = open()
      const topic = newName()
      const deliveries: Delivery[] = []
      await broker.subscribe(
        topic,
        async (_lane, batch) => {
          deliveries.push(...batch)
          return batch.map(() => 'ack')
        },
        { group: 'g', batch: 10 },
      )
      await bare.publish(topic, [
        { key: 'a', value: null },
        { key: Buffer.from([255, 0]), value: Buffer.from([0, 255]), headers: { h: ['1', '2'] } },
        { value: 'x', headers: { 'X-Upper': 'ä' } },
      ])
      await until(() => deliveries.length === 3)
      const byBody = new Map(deliveries.map((one) => [textOf(one), one]))
      expect(byBody.get('')).toMatchObject({ key: 'a', headers: {} })
      expect(byBody.get('x')).toMatchObject({ key: undefined, headers: { 'X-Upper': 'ä' } })
      expect(deliveries.find(({ body }) => body.length === 2)).toMatchObject({
        headers: { h: '2' },
      })
      expect(new Set(deliveries.map(({ id }) => id)).size).toBe(3)
      for (const { timestamp } of deliveries) expect(timestamp).toBeGreaterThan(1_700_000_000_000)
    })
  })

  describe.skipIf(kafka === undefined)('topics', () => {
    test('are made as asked for, once, by several at a time', async () => {
      const topics = { partitions: 3, replication: 1, config: { 'retention.ms': '1234567' } }
      const topic = newName()
      await Promise.all(
        range(5).map((text) => open({ topics }).publish(topic, [message(text, { key: text })])),
      )
      expect(await bare.countPartitions(topic)).toBe(3)
      expect(await bare.read(topic, 5)).toHaveLength(5)
    })

    test('are not made where that is not wanted, and errors say what to do', async () => {
      const broker = open({ topics: false })
      const topic = newName()
      const missing = { code: 'not_found', detail: expect.stringContaining('create the topic') }
      await expect(broker.publish(topic, [message('1')])).rejects.toMatchObject(missing)
      await expect(broker.subscribe(topic, async () => [])).rejects.toMatchObject(missing)
      await bare.createTopic(topic, 1)
      await broker.publish(topic, [message('1')])
    })

    test('more copies than there are brokers are waited for, and then explained', async () => {
      const broker = open({ topics: { replication: 3 }, timeout: 500 })
      await expect(broker.publish(newName(), [message('1')])).rejects.toMatchObject({
        code: 'unavailable',
        detail: expect.stringContaining('topics.replication'),
      })
    })

    test('names that Kafka takes for the same are refused', async () => {
      const broker = open()
      const name = newName()
      await broker.publish(`${name}.a`, [message('1')])
      await expect(broker.publish(`${name}_a`, [message('1')])).rejects.toMatchObject({
        code: 'invalid_argument',
      })
    })

    test('a group goes on where partitions were added, from their start', async () => {
      const topic = newName()
      const texts: string[] = []
      const broker = open({ topics: { partitions: 1 } })
      const deliver = async (_lane: string, batch: readonly Delivery[]) => {
        texts.push(...batch.map(textOf))
        return batch.map(() => 'ack' as const)
      }
      const subscription = await broker.subscribe(topic, deliver, { group: 'g' })
      await broker.publish(topic, [message('1')])
      await until(() => texts.length === 1)
      await subscription.close()
      await bare.addPartitions(topic, 4)
      const others = open()
      await others.publish(
        topic,
        range(12).map((text) => message(text)),
      )
      await others.subscribe(topic, deliver, { group: 'g' })
      await until(() => texts.length === 13)
    })
  })

  describe.skipIf(kafka === undefined)('publishing', () => {
    test('many at once go together, in order', async () => {
      const meter = memoryMeter()
      const broker = open({ meter, topics: { partitions: 1 } })
      const topic = newName()
      const sent = range(5_000).map((text) => broker.publish(topic, [message(text, { key: 'k' })]))
      await Promise.all(sent)
      const found = await bare.read(topic, 5_000)
      expect(found.map(({ value }) => value)).toEqual(range(5_000))
    })

    test('what Kafka has and could not tell of is not stored twice, and order stays', async () => {
      const { broker, proxy } = await openMortal({ topics: { partitions: 1 } })
      const topic = newName()
      await broker.publish(topic, [message('0')])
      for (const text of ['1', '2', '3']) {
        proxy.loseAnswer()
        await broker.publish(topic, [message(text)])
      }
      await broker.publish(topic, [message('4')])
      const found = await bare.read(topic, 5)
      expect(found.map(({ value }) => value)).toEqual(range(5))
    })

    test('no more than maxMessageSize, and no more than maxQueued, by name', async () => {
      const broker = open({ maxMessageSize: 1_000, maxQueued: 10 })
      const topic = newName()
      const exhausted = (name: string) => ({
        code: 'resource_exhausted',
        detail: expect.stringContaining(name),
      })
      await expect(broker.publish(topic, [message('x'.repeat(1_001))])).rejects.toMatchObject(
        exhausted('maxMessageSize'),
      )
      const many = range(11).map((text) => message(text))
      await expect(broker.publish(topic, many)).rejects.toMatchObject(exhausted('maxQueued'))
      await broker.publish(topic, many.slice(1))
    })

    test('one that the topic does not take fails alone', async () => {
      const config = { 'max.message.bytes': '2000' }
      const broker = open({ topics: { partitions: 1, config } })
      const topic = newName()
      // So that the next three go together.
      const first = broker.publish(topic, [message('first')])
      const outcomes = await Promise.allSettled([
        broker.publish(topic, [message('a'.repeat(900))]),
        broker.publish(topic, [message('x'.repeat(3_000))]),
        broker.publish(topic, [message('b'.repeat(900))]),
      ])
      await first
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      expect(outcomes[1]).toMatchObject({ reason: { code: 'resource_exhausted' } })
      const found = await bare.read(topic, 3)
      expect(found.map(({ value }) => value[0])).toEqual(['f', 'a', 'b'])
      expect(broker.health()).toEqual({ status: 'up' })
    })

    test('a batch that is larger than a request is sent in several', async () => {
      const broker = open({ topics: { partitions: 1 } })
      const topic = newName()
      const body = new Uint8Array(100_000).fill(65)
      await broker.publish(
        topic,
        range(30).map((text) => ({ body, key: 'k', headers: { text } })),
      )
      const found = await bare.read(topic, 30)
      expect(found.map(({ headers }) => headers['text'])).toEqual(range(30))
    })
  })
}
