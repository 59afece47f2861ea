import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Broker, Delivery } from '@micro/core/broker'
import { createMessaging, defineUncheckedTopic } from '@micro/core/broker'
import { jsonCodec } from '@micro/core/codec'
import { memoryLogger } from '@micro/core/logger'
import { memoryMeter } from '@micro/core/meter'
import { type KafkaBrokerOptions, kafkaBroker } from '@micro/plugin-broker-kafka'
import { kafkaHome, startKafka } from '@micro/test-services'
import { CompressionTypes, Kafka, logLevel } from 'kafkajs'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { message, newName, quick, range, textOf, until } from './support.ts'

const home = kafkaHome()
const kafka = home === undefined ? undefined : await startKafka(home)
const brokers = kafka?.brokers ?? ['127.0.0.1:1']
const bare = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
const admin = bare.admin()
if (kafka !== undefined) await admin.connect()
const ending: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})
afterAll(async () => {
  await admin.disconnect()
  await kafka?.stop()
})

function open(options: Partial<KafkaBrokerOptions> = {}): Broker {
  const broker = kafkaBroker({ ...quick, brokers, ...options })
  ending.push(() => broker.close())
  return broker
}

/** What a client that knows nothing of us finds in a topic. */
async function readBare(topic: string, count: number) {
  const consumer = bare.consumer({ groupId: newName('bare'), maxWaitTimeInMs: 20 })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const found: {
    key: string | undefined
    value: string
    headers: Record<string, string>
    partition: number
  }[] = []
  const all = Promise.withResolvers<void>()
  await consumer.run({
    eachMessage: async ({ message: { key, value, headers }, partition }) => {
      const texts = Object.entries(headers ?? {}).map(([name, text]) => [name, String(text)])
      found.push({
        key: key?.toString(),
        value: String(value),
        headers: Object.fromEntries(texts) as Record<string, string>,
        partition,
      })
      if (found.length === count) all.resolve()
    },
  })
  await all.promise
  await consumer.disconnect()
  return found
}

describe.skipIf(kafka === undefined)('on the wire', () => {
  test('the value is the body, headers are headers, the key is the key', async () => {
    const broker = open()
    const topic = newName()
    await broker.publish(topic, [
      message('one', { key: 'ключ', headers: { 'content-type': 'text/plain', empty: '' } }),
      message('two'),
    ])
    const found = await readBare(topic, 2)
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
    const producer = bare.producer({ createPartitioner: undefined as never })
    await producer.connect()
    const messages = range(30).map((key) => ({ key, value: 'theirs' }))
    await producer.send({ topic, messages, compression: CompressionTypes.GZIP })
    await producer.disconnect()
    const found = await readBare(topic, 60)
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
    const producer = bare.producer({ createPartitioner: undefined as never })
    await producer.connect()
    await producer.send({
      topic,
      messages: [
        { key: 'a', value: null },
        { key: Buffer.from([255, 0]), value: Buffer.from([0, 255]), headers: { h: ['1', '2'] } },
        { value: 'x', headers: { 'X-Upper': 'ä' } },
      ],
    })
    await producer.disconnect()
    await until(() => deliveries.length === 3)
    const byBody = new Map(deliveries.map((one) => [textOf(one), one]))
    expect(byBody.get('')).toMatchObject({ key: 'a', headers: {} })
    expect(byBody.get('x')).toMatchObject({ key: undefined, headers: { 'X-Upper': 'ä' } })
    expect(deliveries.find(({ body }) => body.length === 2)).toMatchObject({ headers: { h: '2' } })
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
    const found = await admin.fetchTopicMetadata({ topics: [topic] })
    expect(found.topics[0]?.partitions).toHaveLength(3)
    expect(await readBare(topic, 5)).toHaveLength(5)
  })

  test('are not made where that is not wanted, and errors say what to do', async () => {
    const broker = open({ topics: false })
    const topic = newName()
    const missing = { code: 'not_found', detail: expect.stringContaining('create the topic') }
    await expect(broker.publish(topic, [message('1')])).rejects.toMatchObject(missing)
    await expect(broker.subscribe(topic, async () => [])).rejects.toMatchObject(missing)
    await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] })
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
    await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] })
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
    const found = await readBare(topic, 5_000)
    expect(found.map(({ value }) => value)).toEqual(range(5_000))
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
    const found = await readBare(topic, 3)
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
    const found = await readBare(topic, 30)
    expect(found.map(({ headers }) => headers['text'])).toEqual(range(30))
  })
})

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
    const join = (options: Partial<KafkaBrokerOptions> = {}) =>
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
    const before = (await admin.listGroups()).groups.length
    const subscription = await broker.subscribe(newName(), async () => [])
    expect((await admin.listGroups()).groups).toHaveLength(before + 1)
    await subscription.close()
    expect((await admin.listGroups()).groups).toHaveLength(before)
  })

  test('groups are named by group and topic, or as asked for', async () => {
    const topic = newName()
    await open().subscribe(topic, async () => [], { group: 'shop' })
    await open({ groupId: (group, of) => `x-${group}-${of}` }).subscribe(topic, async () => [], {
      group: 'shop',
    })
    const groups = (await admin.listGroups()).groups.map(({ groupId }) => groupId)
    expect(groups).toEqual(expect.arrayContaining([`shop/${topic}`, `x-shop-${topic}`]))
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
    const messaging = createMessaging({ broker, logger, codecs: [jsonCodec()], defaultGroup: 'g' })
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
    const letters = await readBare(`${topic.name}.dead`, 2)
    expect(letters.map(({ headers }) => headers['dead-letter-attempts']).sort()).toEqual(['1', '3'])
    expect(letters.map(({ value }) => value).sort()).toEqual(['{', '{"at":1}'])
  })
})

describe.skipIf(kafka === undefined)('a process', () => {
  const start = (topic: string, mode: string) =>
    spawn(
      process.execPath,
      [join(import.meta.dirname, 'process.ts'), brokers.join(), topic, mode],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )

  test('that is killed between handling and settling: its message comes again', async () => {
    const topic = newName()
    const child = start(topic, 'hang')
    let output = ''
    child.stdout.on('data', (data) => {
      output += String(data)
    })
    await until(() => output.includes('open'))
    const broker = open()
    await broker.publish(topic, [message('1', { key: 'k' }), message('2', { key: 'k' })])
    await until(() => output.includes('got 1'))
    child.kill('SIGKILL')
    await once(child, 'exit')
    const handled: string[] = []
    await broker.subscribe(
      topic,
      async (_lane, batch) => {
        handled.push(...batch.map(textOf))
        return batch.map(() => 'ack')
      },
      { group: 'g' },
    )
    await until(() => handled.length === 2)
    expect(handled).toEqual(['1', '2'])
    expect(output).not.toContain('got 2')
  })

  test('ends by itself once its broker is closed, and Node has nothing to warn of', async () => {
    const child = start(newName(), 'end')
    let errors = ''
    child.stderr.on('data', (data) => {
      errors += String(data)
    })
    const [code] = await once(child, 'exit')
    expect(errors).toBe('')
    expect(code).toBe(0)
  })
})
