import { type KafkaOptions, type KafkaSettings, settleKafka } from '@micro/kafka-broker'

/** Those that all Kafka plugins have. */
export interface KafkaBrokerOptions extends KafkaOptions {}

/** @throws `invalid_argument`, naming the option, never a secret. */
export function settle(options: KafkaBrokerOptions): KafkaSettings {
  return settleKafka(options)
}
