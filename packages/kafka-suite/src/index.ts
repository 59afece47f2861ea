/**
 * What every Kafka plugin has to pass on a real Kafka, beside the conformance suite of brokers.
 *
 * @packageDocumentation
 */
export { conformers } from './conformers.ts'
export { consumerTests } from './consumer-tests.ts'
export { groupTests } from './group-tests.ts'
export { type KafkaProxy, startKafkaProxy } from './kafka-proxy.ts'
export { messageTests } from './message-tests.ts'
export { outageTests } from './outage-tests.ts'
export { securityTests } from './security-tests.ts'
export type { BareKafka, BareMessage, BareRecord, Subject, SubjectOptions } from './subject.ts'
export { message, newName, quick, range, textOf, until } from './support.ts'
