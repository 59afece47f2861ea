import type { Broker } from '@micro/core/broker'
import { afterAll } from 'vitest'
import { useKafka } from './fixture.ts'
import type { KafkaProxy } from './kafka-proxy.ts'
import type { Subject } from './subject.ts'
import { openMortal } from './support.ts'

/** What the conformance suite needs: brokers on a real Kafka that can crash. Skipped if it is not there. */
export async function conformers(subject: Subject) {
  const { kafka, brokers } = await useKafka(subject)
  const proxies = new Map<Broker, KafkaProxy>()
  afterAll(async () => {
    for (const proxy of proxies.values()) await proxy.stop()
  })
  return {
    isThere: kafka !== undefined,
    async create(namespace: string): Promise<Broker> {
      const { broker, proxy } = await openMortal(subject, brokers, { namespace })
      proxies.set(broker, proxy)
      return broker
    },
    crash: (broker: Broker): void => proxies.get(broker)?.cut(true),
  }
}
