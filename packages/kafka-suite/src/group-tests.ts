import type { Delivery } from '@micro/core/broker'
import { createMessaging, defineUncheckedTopic } from '@micro/core/broker'
import { jsonCodec } from '@micro/core/codec'
import { memoryLogger } from '@micro/core/logger'
import { memoryMeter } from '@micro/core/meter'
import { describe, expect, test } from 'vitest'
import { useBare, useKafka } from './fixture.ts'
import type { Subject, SubjectOptions } from './subject.ts'
import { collector, message, newName, range, textOf, until } from './support.ts'

/** Has to be awaited at the top of a file of tests. */
export async function groupTests(subject: Subject): Promise<void> {
  const { kafka, brokers, open } = await useKafka(subject)
  const bare = await useBare(subject, brokers, kafka !== undefined)

  describe.skipIf(kafka === undefined)('groups', () => {
    test('a slow partition holds up no other', async () => {
      const broker = open({ topics: { partitions: 4 } })
      const topic = newName()
      const free = Promise.withResolvers<void>()
      const stuck = Promise.withResolvers<string>()
      const handled: string[] = []
      let first: string | undefined
      await broker.subscribe(
        topic,
        async (lane, batch) => {
          first ??= lane
          if (first === lane) {
            stuck.resolve(lane)
            await free.promise
          }
          handled.push(...batch.map(textOf))
          return batch.map(() => 'ack')
        },
        { group: 'g' },
      )
      await broker.publish(
        topic,
        range(400).map((key) => message(key, { key })),
      )
      await stuck.promise
      await until(() => handled.length > 200)
      free.resolve()
      await until(() => handled.length === 400)
      expect(new Set(handled).size).toBe(400)
    })

    test('a handler slower than the session keeps its partitions: nothing comes twice', async () => {
      const sessionTimeout = 600
      const broker = open({ sessionTimeout, topics: { partitions: 1 } })
      const topic = newName()
      const handled: string[] = []
      await broker.subscribe(
        topic,
        async (_lane, batch) => {
          if (handled.length === 0) await new Promise((resolve) => setTimeout(resolve, 2_000))
          handled.push(...batch.map(textOf))
          return batch.map(() => 'ack')
        },
        { group: 'g' },
      )
      await broker.publish(topic, [message('1'), message('2')])
      await until(() => handled.length >= 2)
      expect(broker.health().status).toBe('up')
      // Another member finds nothing left.
      const other = open({ sessionTimeout })
      await other.subscribe(
        topic,
        async (_lane, batch) => {
          handled.push(...batch.map(textOf))
          return batch.map(() => 'ack')
        },
        { group: 'g' },
      )
      await broker.publish(topic, [message('3')])
      await until(() => handled.length >= 3)
      expect(handled).toEqual(['1', '2', '3'])
    })

    test('members that come and go while messages are handled: all of them, once, in order', async () => {
      const meter = memoryMeter()
      const topic = newName()
      const handled: string[] = []
      const deliver = async (_lane: string, batch: readonly Delivery[]) => {
        await new Promise((resolve) => setTimeout(resolve, 2))
        handled.push(...batch.map(textOf))
        return batch.map(() => 'ack' as const)
      }
      const join = (options: Partial<SubjectOptions> = {}) =>
        open({ topics: { partitions: 6 }, ...options }).subscribe(topic, deliver, { group: 'g' })
      await join({ meter })
      const publisher = open()
      const publishing = (async () => {
        for (let at = 0; at < 60; at++) {
          const keys = range(10)
          await publisher.publish(
            topic,
            keys.map((key) => message(`${key}:${at}`, { key })),
          )
        }
      })()
      const second = await join()
      const third = await join()
      await second.close()
      await join()
      await third.close()
      await publishing
      await until(() => handled.length >= 600)
      expect(handled).toHaveLength(600)
      for (const key of range(10)) {
        const own = handled.filter((text) => text.startsWith(`${key}:`))
        expect(own).toEqual(range(60).map((at) => `${key}:${at}`))
      }
      const rebalances = meter
        .collect()
        .filter(({ name }) => name === 'messaging.kafka.consumer.rebalances')
      expect(rebalances[0]).toMatchObject({ attributes: { 'messaging.destination.name': topic } })
    })

    test('a slow handler is waited for when the group changes', async () => {
      const topic = newName()
      const options = { topics: { partitions: 1 }, sessionTimeout: 1_000 }
      const started = Promise.withResolvers<void>()
      const handled: string[] = []
      const first = open(options)
      await first.subscribe(
        topic,
        async (_lane, batch) => {
          started.resolve()
          // Longer than the session, and so than Kafka would wait without heartbeats.
          await new Promise((resolve) => setTimeout(resolve, 2_000))
          handled.push(...batch.map(textOf))
          return batch.map(() => 'ack')
        },
        { group: 'g' },
      )
      // Long enough for a heartbeat, by which a member learns who it is.
      await new Promise((resolve) => setTimeout(resolve, 200))
      await first.publish(topic, [message('1', { key: 'k' })])
      await started.promise
      await open(options).subscribe(
        topic,
        async (_lane, batch) => {
          handled.push(...batch.map(textOf))
          return batch.map(() => 'ack')
        },
        { group: 'g' },
      )
      expect(handled).toEqual(['1'])
      await first.publish(topic, [message('2', { key: 'k' })])
      await until(() => handled.length >= 2)
      expect(handled).toEqual(['1', '2'])
    })

    test('a subscription without a group leaves none behind', async () => {
      const broker = open()
      const before = (await bare.groups()).length
      const subscription = await broker.subscribe(newName(), async () => [])
      expect(await bare.groups()).toHaveLength(before + 1)
      await subscription.close()
      expect(await bare.groups()).toHaveLength(before)
    })

    test('transactions of others: what was committed arrives, what was aborted does not', async () => {
      const topic = newName()
      const meter = memoryMeter()
      const broker = open({ meter, topics: { partitions: 1 }, lagInterval: 100 })
      const { texts, deliver } = collector()
      await broker.subscribe(topic, deliver, { group: 'g', batch: 10 })
      await bare.transact(topic, ['a1', 'a2'], 'abort')
      await bare.transact(topic, ['c1', 'c2'], 'commit')
      await bare.transact(topic, ['a3'], 'abort')
      await bare.transact(topic, ['a4'], 'abort')
      await broker.publish(topic, [message('plain')])
      await bare.transact(topic, ['c3'], 'commit')
      await until(() => texts.length >= 4)
      expect(texts).toEqual(['c1', 'c2', 'plain', 'c3'])
      // Also behind the mark at the end, which is nobody's to settle.
      const lag = () =>
        meter.collect().find(({ name }) => name === 'messaging.kafka.consumer.lag')?.value
      await until(() => lag() === 0)
    })

    test('a group whose place has gone goes on with what is left', async () => {
      const topic = newName()
      const broker = open({ topics: { partitions: 1 } })
      const { texts, deliver } = collector()
      const subscription = await broker.subscribe(topic, deliver, { group: 'g' })
      await subscription.close()
      await broker.publish(
        topic,
        range(5).map((text) => message(text)),
      )
      await bare.truncate(topic, 3)
      await broker.subscribe(topic, deliver, { group: 'g' })
      await until(() => texts.length >= 2)
      expect(texts).toEqual(['3', '4'])
    })

    test('a topic that is made anew while it is subscribed to is read from its start', async () => {
      const topic = newName()
      const broker = open({ topics: { partitions: 1 }, lagInterval: 100 })
      const { texts, deliver } = collector()
      await broker.subscribe(topic, deliver, { group: 'g' })
      await broker.publish(
        topic,
        range(9).map((text) => message(text)),
      )
      await until(() => texts.length === 9)
      await bare.deleteTopic(topic)
      // The first may reach what is being deleted; the subscription may be who makes it anew.
      await until(async () => {
        await broker.publish(topic, [message('new')])
        return texts.includes('new')
      })
      expect(texts.slice(0, 10)).toEqual([...range(9), 'new'])
    })

    test('groups are named by group and topic, or as asked for', async () => {
      const topic = newName()
      await open().subscribe(topic, async () => [], { group: 'shop' })
      await open({ groupId: (group, of) => `x-${group}-${of}` }).subscribe(topic, async () => [], {
        group: 'shop',
      })
      expect(await bare.groups()).toEqual(
        expect.arrayContaining([`shop/${topic}`, `x-shop-${topic}`]),
      )
    })

    test('lag is told while a subscription is paused, and zero when all is settled', async () => {
      const meter = memoryMeter()
      const broker = open({ meter, lagInterval: 100, topics: { partitions: 1 } })
      const topic = newName()
      const subscription = await broker.subscribe(
        topic,
        async (_lane, batch) => batch.map(() => 'ack'),
        { group: 'g' },
      )
      const lag = () =>
        meter.collect().find(({ name }) => name === 'messaging.kafka.consumer.lag')?.value
      subscription.pause()
      await broker.publish(
        topic,
        range(7).map((text) => message(text)),
      )
      await until(() => lag() === 7)
      subscription.resume()
      await until(() => lag() === 0)
    })

    test('a poison message goes to the dead letters, and the next is handled', async () => {
      const broker = open({ topics: { partitions: 1 } })
      const logger = memoryLogger()
      const messaging = createMessaging({
        broker,
        logger,
        codecs: [jsonCodec()],
        defaultGroup: 'g',
      })
      const topic = defineUncheckedTopic<{ at: number }>(newName())
      const handled: number[] = []
      const attempts: number[] = []
      await messaging.subscribe(
        topic,
        ({ value, attempt }) => {
          if (value.at === 1) {
            attempts.push(attempt)
            throw new Error('poison')
          }
          handled.push(value.at)
        },
        { maxDeliveries: 3, retryDelay: 5 },
      )
      await messaging.publishAll(topic, [{ at: 0 }, { at: 1 }, { at: 2 }], { key: 'k' })
      await broker.publish(topic.name, [message('{', { key: 'k' })])
      await messaging.publish(topic, { at: 3 }, { key: 'k' })
      await until(() => handled.length === 3)
      expect(handled).toEqual([0, 2, 3])
      expect(attempts).toEqual([1, 2, 3])
      const letters = await bare.read(`${topic.name}.dead`, 2)
      expect(letters.map(({ headers }) => headers['dead-letter-attempts']).sort()).toEqual([
        '1',
        '3',
      ])
      expect(letters.map(({ value }) => value).sort()).toEqual(['{', '{"at":1}'])
    })
  })
}
