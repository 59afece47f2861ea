import type { Broker } from '@micro/core/broker'
import { kafkaBroker } from '@micro/plugin-broker-kafka'

/** For the loss test: `settings` are the brokers' addresses, with commas between them. */
export function makeBroker(settings: string): Broker {
  return kafkaBroker({
    brokers: settings.split(','),
    topics: { partitions: 12 },
    sessionTimeout: 2_000,
    heartbeatInterval: 100,
    maxWait: 50,
  })
}
