import { brokerConformance } from '@micro/conformance/broker'
import type { Broker } from '@micro/core/broker'
import { kafkaHome, startKafka } from '@micro/test-services'
import { afterAll, describe } from 'vitest'
import { mortalBroker, quick } from './support.ts'

const home = kafkaHome()
const kafka = home === undefined ? undefined : await startKafka(home)
afterAll(() => kafka?.stop())

describe.skipIf(kafka === undefined)('a real Kafka', () => {
  const crashes = new WeakMap<Broker, () => void>()
  brokerConformance({
    name: 'kafka',
    create(namespace) {
      const { broker, crash } = mortalBroker({
        ...quick,
        brokers: kafka?.brokers ?? [],
        namespace,
      })
      crashes.set(broker, crash)
      return broker
    },
    crash: (broker) => crashes.get(broker)?.(),
  })
})
