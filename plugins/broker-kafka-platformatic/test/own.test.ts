import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { memoryLogger } from '@micro/core/logger'
import { memoryMeter } from '@micro/core/meter'
import { message, newName, quick, range, textOf, until } from '@micro/kafka-suite'
import { type KafkaBrokerOptions, kafkaBroker } from '@micro/plugin-broker-kafka-platformatic'
import { kafkaHome, startKafka } from '@micro/test-services'
import { Connection, fetchV12, Producer, produceV9 } from '@platformatic/kafka'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { subject } from './subject.ts'

const home = kafkaHome()
const sasl = { mechanism: 'scram-sha-256', username: 'alice', password: 'correct horse' } as const
const kafka =
  home === undefined
    ? undefined
    : // One whose sessions are short, and one without any.
      {
        plain: await startKafka(home),
        strict: await startKafka(home, {
          sasl: { user: sasl.username, password: sasl.password },
          properties: { 'connections.max.reauth.ms': 1_000 },
        }),
      }
const brokers = kafka?.plain.brokers ?? ['127.0.0.1:1']
const bare = kafka === undefined ? undefined : await subject.openBare(brokers)
const ending: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})
afterAll(async () => {
  await bare?.close()
  await kafka?.plain.stop()
  await kafka?.strict.stop()
})

function open(options: Partial<KafkaBrokerOptions> = {}) {
  const broker = kafkaBroker({ ...quick, brokers, ...options })
  ending.push(() => broker.close())
  return broker
}

async function listen(server: Server): Promise<string> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  ending.push(async () => server.close())
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

describe.skipIf(kafka === undefined)('on @platformatic/kafka', () => {
  test('heartbeats do not wait for messages', async () => {
    const meter = memoryMeter()
    const broker = open({ meter, maxWait: 3_000, sessionTimeout: 1_000 })
    await broker.subscribe(newName(), async () => [], { group: 'g' })
    await wait(2_000)
    expect(broker.health()).toEqual({ status: 'up' })
    const names = meter.collect().map(({ name }) => name)
    expect(names).not.toContain('messaging.kafka.consumer.restarts')
    expect(names).not.toContain('messaging.kafka.consumer.rebalances')
  })

  test('partitions that are added while a group is there are handed out', async () => {
    const topic = newName()
    const broker = open({ topics: { partitions: 1 }, lagInterval: 100 })
    const lanes = new Set<string>()
    await broker.subscribe(
      topic,
      async (lane, batch) => {
        lanes.add(lane)
        return batch.map(() => 'ack')
      },
      { group: 'g' },
    )
    await bare?.addPartitions(topic, 3)
    const publisher = open()
    await until(async () => {
      await publisher.publish(topic, [message('1'), message('2'), message('3')])
      return lanes.size === 3
    })
  })

  test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'what others compress by %s is read',
    async (compression) => {
      const topic = newName()
      const texts: string[] = []
      await open().subscribe(
        topic,
        async (_lane, batch) => {
          texts.push(...batch.map(textOf))
          return batch.map(() => 'ack')
        },
        { group: 'g', batch: 100 },
      )
      const producer = new Producer({ clientId: 'other', bootstrapBrokers: [...brokers] })
      ending.push(() => producer.close())
      const messages = range(100).map((text) => ({ topic, value: Buffer.from(text), partition: 0 }))
      await producer.send({ messages, compression, acks: -1 })
      await until(() => texts.length === 100)
      expect(texts).toEqual(range(100))
    },
  )

  test('a producer that Kafka has put aside is replaced, and nothing is lost by that', async () => {
    const topic = newName()
    const broker = open({ topics: { partitions: 1 } })
    await broker.publish(topic, [message('0')])
    const [address = ''] = brokers
    const [host = '', port] = address.split(':')
    const connection = new Connection('other')
    await connection.connect(host, Number(port))
    ending.push(() => connection.close())
    const { responses } = await fetchV12.api.async(
      connection,
      10,
      1,
      1_000_000,
      0,
      0,
      -1,
      [
        {
          topicId: topic,
          partitions: [
            {
              partition: 0,
              currentLeaderEpoch: -1,
              fetchOffset: 0n,
              lastFetchedEpoch: -1,
              partitionMaxBytes: 1_000_000,
            },
          ],
        },
      ],
      [],
      '',
    )
    const ours = responses[0]?.partitions[0]?.records?.[0]
    // Another one with its name, and a later epoch.
    await produceV9.api.async(
      connection,
      -1,
      1_000,
      [{ topic, partition: 0, value: Buffer.from('1') }],
      { producerId: ours?.producerId ?? 0n, producerEpoch: (ours?.producerEpoch ?? 0) + 1 },
    )
    await broker.publish(topic, [message('2')])
    await broker.publish(topic, [message('3')])
    const found = await bare?.read(topic, 4)
    expect(found?.map(({ value }) => value)).toEqual(range(4))
    expect(broker.health()).toEqual({ status: 'up' })
  })

  test('connections are replaced before Kafka wants to be told again who this is', async () => {
    const meter = memoryMeter()
    const topic = newName()
    const logger = memoryLogger()
    const broker = open({ brokers: kafka?.strict.brokers ?? [], sasl, meter, logger })
    let got = 0
    await broker.subscribe(
      topic,
      async (_lane, batch) => {
        got += batch.length
        return batch.map(() => 'ack')
      },
      { group: 'g', batch: 10 },
    )
    const end = Date.now() + 4_000
    let sent = 0
    const publishing = Array.from({ length: 8 }, async () => {
      for (; Date.now() < end; sent++) await broker.publish(topic, [message('x')])
    })
    await Promise.all(publishing)
    await until(() => got === sent)
    const names = meter.collect().map(({ name }) => name)
    expect(logger.lines).toEqual([])
    expect(names).not.toContain('messaging.kafka.consumer.restarts')
    expect(names).not.toContain('messaging.kafka.consumer.rebalances')
  })

  test('a server that says nothing, or something else, is passed over', async () => {
    const silent = await listen(createServer((socket) => socket.on('error', () => undefined)))
    const other = await listen(
      createServer((socket) => {
        socket.on('error', () => undefined)
        socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
      }),
    )
    for (const wrong of [silent, other]) {
      const broker = open({ brokers: [wrong, ...brokers], requestTimeout: 500 })
      await broker.publish(newName(), [message('1')])
      const none = open({ brokers: wrong, requestTimeout: 500, timeout: 700 })
      await expect(none.publish('t', [message('1')])).rejects.toMatchObject({ code: 'unavailable' })
    }
  })
})
