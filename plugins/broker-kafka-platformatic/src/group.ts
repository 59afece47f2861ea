import { decodeOwned, encodeOwned, spread, stickyProtocol } from '@micro/kafka-broker'
import {
  decodeConsumerProtocolAssignment,
  decodeConsumerProtocolSubscription,
  encodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription,
} from '@platformatic/kafka'

/** What a member says when it joins. */
export function subscriptionOf(topic: string, owned: readonly number[]): Buffer {
  return encodeConsumerProtocolSubscription({
    version: stickyProtocol.version,
    topics: [topic],
    userData: encodeOwned(owned),
  })
}

/** What its leader gives each member of a group. */
export function assignmentsOf(
  topic: string,
  partitions: readonly number[],
  members: readonly { readonly memberId: string; readonly metadata: Buffer }[],
): { memberId: string; assignment: Buffer }[] {
  const claims = new Map<string, readonly number[]>()
  for (const { memberId, metadata } of members) {
    const { topics, userData } = decodeConsumerProtocolSubscription(metadata)
    if (topics.includes(topic)) claims.set(memberId, decodeOwned(userData))
  }
  return [...spread(partitions, claims)].map(([memberId, own]) => ({
    memberId,
    assignment: encodeConsumerProtocolAssignment({
      version: stickyProtocol.version,
      assignedPartitions: [{ topic, partitions: own }],
    }),
  }))
}

/** What a member was given. */
export function partitionsOf(topic: string, assignment: Buffer): readonly number[] {
  return decodeConsumerProtocolAssignment(assignment)
    .assignedPartitions.filter((one) => one.topic === topic)
    .flatMap(({ partitions }) => partitions)
}
