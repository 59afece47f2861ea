import { decodeOwned, encodeOwned, spread, stickyProtocol } from '@micro/kafka-broker'
import { AssignerProtocol, type PartitionAssigner } from 'kafkajs'

const { MemberAssignment, MemberMetadata } = AssignerProtocol
const { name, version } = stickyProtocol

/**
 * Spreads partitions evenly, and leaves as many as it can where they are, so that most of what is being
 * handled stays with its handler when the group changes.
 *
 * @param owned The partitions that this member has now.
 */
export function stickyAssigner(topic: string, owned: () => readonly number[]): PartitionAssigner {
  return ({ cluster }) => ({
    name,
    version,
    protocol: ({ topics }) => ({
      name,
      metadata: MemberMetadata.encode({
        version,
        topics,
        userData: encodeOwned(owned()),
      }),
    }),
    async assign({ members }) {
      const partitions = cluster.findTopicPartitionMetadata(topic).map((one) => one.partitionId)
      const claims = new Map<string, readonly number[]>()
      for (const { memberId, memberMetadata } of members) {
        const metadata = MemberMetadata.decode(memberMetadata)
        if (metadata?.topics.includes(topic)) claims.set(memberId, decodeOwned(metadata.userData))
      }
      return [...spread(partitions, claims)].map(([memberId, assigned]) => ({
        memberId,
        memberAssignment: MemberAssignment.encode({
          version,
          assignment: { [topic]: assigned },
          userData: Buffer.alloc(0),
        }),
      }))
    },
  })
}
