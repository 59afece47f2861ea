import type { Broker } from '@micro/core/broker'
import { kafkaBroker } from '@micro/plugin-broker-kafka-platformatic'
import { kafkaLossOptions } from './kafka-loss-options.ts'

export function makeBroker(settings: string): Broker {
  return kafkaBroker(kafkaLossOptions(settings))
}
