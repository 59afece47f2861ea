import type { Broker } from '@micro/core/broker'
import { createKafkaBroker } from '@micro/kafka-broker'
import { openAdmin } from './admin.ts'
import { errors } from './errors.ts'
import { startMember } from './member.ts'
import { type KafkaBrokerOptions, settle } from './options.ts'
import { openProducer } from './producer.ts'

/**
 * Topics of Apache Kafka, on @platformatic/kafka.
 *
 * Of that library it uses connections, authentication, requests, answers and records: its clients that
 * stand on these cannot wait for handlers before they join a group anew, send heartbeats behind fetches
 * on one connection, hand out records of aborted transactions, and number batches by a new producer's
 * numbers but the old one's name when they find that Kafka has forgotten it.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function kafkaBroker(options: KafkaBrokerOptions): Broker {
  const settings = settle(options)
  return createKafkaBroker(settings, {
    errors,
    maxBatch: 1_000,
    openAdmin: async () => openAdmin(settings),
    openProducer: () => openProducer(settings),
    startMember: (member) => startMember(settings, member),
  })
}
