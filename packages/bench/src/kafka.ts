import { kafkaBroker } from '@micro/plugin-broker-kafka'
import { kafkaBroker as platformaticKafkaBroker } from '@micro/plugin-broker-kafka-platformatic'
import { kafkaHome, startKafka } from '@micro/test-services'
import { Admin, Consumer, Producer } from '@platformatic/kafka'
import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { type BrokerSide, benchRemoteBroker, microSide } from './remote-brokers.ts'

/** Beside bare kafkajs with the same guarantees asked of Kafka, and with kafkajs's defaults otherwise. */
export async function benchKafka(): Promise<void> {
  await benchOnKafka('kafka', async (brokers) => {
    const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
    const admin = kafka.admin()
    await admin.connect()
    return {
      ours: microSide(kafkaBroker({ brokers })),
      bare: await bareKafkajs(kafka),
      createTopic: (topic) =>
        admin.createTopics({ topics: [{ topic, numPartitions: 4 }], waitForLeaders: true }),
      close: () => admin.disconnect(),
    }
  })
}

/** Beside bare @platformatic/kafka with the same guarantees asked of Kafka, and with its defaults otherwise. */
export async function benchKafkaPlatformatic(): Promise<void> {
  await benchOnKafka('kafka-platformatic', async (brokers) => {
    const admin = new Admin({ clientId: 'bench', bootstrapBrokers: [...brokers] })
    return {
      ours: microSide(platformaticKafkaBroker({ brokers })),
      bare: barePlatformatic(brokers),
      createTopic: (topic) => admin.createTopics({ topics: [topic], partitions: 4 }),
      close: () => admin.close(),
    }
  })
}

interface Sides {
  readonly ours: BrokerSide
  readonly bare: BrokerSide
  createTopic(topic: string): Promise<unknown>
  close(): Promise<unknown>
}

async function benchOnKafka(
  name: string,
  open: (brokers: readonly string[]) => Promise<Sides>,
): Promise<void> {
  const home = kafkaHome()
  if (home === undefined) {
    console.log(`${name}: not there, skipped`)
    return
  }
  const server = await startKafka(home)
  const { ours, bare, createTopic, close } = await open(server.brokers)
  try {
    await benchRemoteBroker({ name, ours, bare, bar: 0.9, backlog: 400_000, prepare: createTopic })
  } finally {
    await ours.close()
    await bare.close()
    await close()
    await server.stop()
  }
}

async function bareKafkajs(kafka: Kafka): Promise<BrokerSide> {
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  return {
    name: 'bare kafkajs',
    publish: (topic, bodies) =>
      producer.send({ topic, messages: bodies.map((body) => ({ value: Buffer.from(body) })) }),
    async consume(topic, groupId, handle) {
      const consumer = kafka.consumer({ groupId })
      await consumer.connect()
      await consumer.subscribe({ topics: [topic], fromBeginning: true })
      const joined = new Promise<void>((resolve) => {
        consumer.on('consumer.group_join', () => resolve())
      })
      await consumer.run({
        eachBatch: async ({ batch }) => {
          for (const { value } of batch.messages) if (value !== null) await handle(value)
        },
      })
      await joined
      return () => consumer.disconnect()
    },
    close: () => producer.disconnect(),
  }
}

function barePlatformatic(brokers: readonly string[]): BrokerSide {
  const options = { clientId: 'bare', bootstrapBrokers: [...brokers] }
  const producer = new Producer(options)
  return {
    name: 'bare @platformatic/kafka',
    publish: (topic, bodies) =>
      producer.send({
        acks: -1,
        messages: bodies.map((body) => ({ topic, value: Buffer.from(body) })),
      }),
    async consume(topic, groupId, handle) {
      const consumer = new Consumer({ ...options, groupId })
      const stream = await consumer.consume({
        topics: [topic],
        mode: 'committed',
        fallbackMode: 'earliest',
      })
      const reading = (async () => {
        for await (const { value } of stream) await handle(value)
      })()
      return async () => {
        await consumer.close(true)
        await reading
      }
    },
    close: () => producer.close(),
  }
}
