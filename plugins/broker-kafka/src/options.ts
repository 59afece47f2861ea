import { type KafkaOptions, type KafkaSettings, settleKafka } from '@micro/kafka-broker'
import type { ISocketFactory } from 'kafkajs'

export interface KafkaBrokerOptions extends KafkaOptions {
  /** Makes the connections, as kafkajs wants them: for proxies and tunnels. @default its own */
  readonly socketFactory?: ISocketFactory
}

/** @throws `invalid_argument`, naming the option, never a secret. */
export function settle(options: KafkaBrokerOptions): KafkaSettings {
  return settleKafka(options, ['socketFactory'])
}
