/**
 * Publish and subscribe over Apache Kafka, on @platformatic/kafka.
 *
 * ```ts
 * import { createService } from '@micro/core'
 * import { kafkaBroker } from '@micro/plugin-broker-kafka-platformatic'
 *
 * const broker = kafkaBroker({ brokers: ['kafka-1:9092', 'kafka-2:9092'] })
 * const service = createService({ name: 'shop', broker })
 * ```
 *
 * @packageDocumentation
 */
export type { KafkaSasl, KafkaTopics } from '@micro/kafka-broker'
export { kafkaBroker } from './kafka-broker.ts'
export type { KafkaBrokerOptions } from './options.ts'
