import { kafkaBroker } from '@micro/plugin-broker-kafka'
import { kafkaHome, startKafka } from '@micro/test-services'
import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { type BrokerSide, benchRemoteBroker, microSide } from './remote-brokers.ts'

/** Beside bare kafkajs with the same guarantees asked of Kafka, and with kafkajs's defaults otherwise. */
export async function benchKafka(): Promise<void> {
  const home = kafkaHome()
  if (home === undefined) {
    console.log('kafka: not there, skipped')
    return
  }
  const server = await startKafka(home)
  const brokers = [...server.brokers]
  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  const ours = microSide(kafkaBroker({ brokers }))
  const bare = await bareKafka(kafka)
  try {
    await benchRemoteBroker({
      name: 'kafka',
      ours,
      bare,
      bar: 0.9,
      prepare: (topic) =>
        admin.createTopics({ topics: [{ topic, numPartitions: 4 }], waitForLeaders: true }),
    })
  } finally {
    await ours.close()
    await bare.close()
    await admin.disconnect()
    await server.stop()
  }
}

async function bareKafka(kafka: Kafka): Promise<BrokerSide> {
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
