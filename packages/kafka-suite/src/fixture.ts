import type { Broker } from '@micro/core/broker'
import { type Kafka, type KafkaOptions, kafkaHome, startKafka } from '@micro/test-services'
import { afterAll, afterEach } from 'vitest'
import type { BareKafka, Subject, SubjectOptions } from './subject.ts'
import { openMortal, quick } from './support.ts'

/** A Kafka for one file of tests, if it can be had, and brokers that are closed after each test. */
export async function useKafka(subject: Subject, options: KafkaOptions = {}) {
  const home = kafkaHome()
  const kafka: Kafka | undefined = home === undefined ? undefined : await startKafka(home, options)
  const brokers = kafka?.brokers ?? ['127.0.0.1:1']
  const ending: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const end of ending.splice(0).reverse()) await end()
  })
  afterAll(() => kafka?.stop())
  return {
    kafka,
    brokers,
    open(more: Partial<SubjectOptions> = {}): Broker {
      const broker = subject.kafkaBroker({ ...quick, brokers, ...more })
      ending.push(() => broker.close())
      return broker
    },
    async openMortal(more: Partial<SubjectOptions> = {}) {
      const { broker, proxy } = await openMortal(subject, brokers, more)
      ending.push(() => proxy.stop())
      ending.push(() => broker.close())
      return { broker, proxy }
    },
  }
}

/** To be used in tests only: without a Kafka there is none. */
export async function useBare(subject: Subject, brokers: readonly string[], isThere: boolean) {
  const bare = isThere ? await subject.openBare(brokers) : undefined
  afterAll(() => bare?.close())
  return bare as BareKafka
}
