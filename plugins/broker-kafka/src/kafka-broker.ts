import type { Broker } from '@micro/core/broker'
import { createKafkaBroker } from '@micro/kafka-broker'
import { openAdmin } from './admin.ts'
import { createClient } from './client.ts'
import { errors } from './errors.ts'
import { startMember } from './member.ts'
import { type KafkaBrokerOptions, settle } from './options.ts'
import { openProducer } from './producer.ts'

/**
 * Topics of Apache Kafka, on kafkajs.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function kafkaBroker(options: KafkaBrokerOptions): Broker {
  const settings = settle(options)
  const open = () => createClient(settings, options.socketFactory)
  return createKafkaBroker(settings, {
    errors,
    // kafkajs puts a batch together in time that grows with its square.
    maxBatch: 1_000,
    openAdmin: () => openAdmin(open(), settings),
    openProducer: () => openProducer(open(), settings),
    startMember: (member) => startMember(open(), settings, member),
  })
}
