/**
 * What the Kafka plugins share: all that is not about one client library. A plugin gives a
 * `KafkaClient`, and gets a broker.
 *
 * @packageDocumentation
 */
export type {
  KafkaAdmin,
  KafkaClient,
  KafkaMember,
  KafkaMessage,
  KafkaProducer,
  MemberOptions,
  Partition,
  PartitionMessages,
} from './client.ts'
export { createKafkaErrors, type KafkaErrors, unavailable } from './errors.ts'
export { type HandOverOptions, handOver } from './hand-over.ts'
export { createKafkaBroker } from './kafka-broker.ts'
export type { Lanes } from './lanes.ts'
export {
  type KafkaOptions,
  type KafkaSasl,
  type KafkaSettings,
  type KafkaTopics,
  settleKafka,
} from './options.ts'
export { choosePartition } from './partition-choice.ts'
export type { LaneRecord } from './records.ts'
export { decodeOwned, encodeOwned, spread, stickyProtocol } from './sticky.ts'
export { within } from './within.ts'
