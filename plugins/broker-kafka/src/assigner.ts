import { AssignerProtocol, type PartitionAssigner } from 'kafkajs'

const { MemberAssignment, MemberMetadata } = AssignerProtocol
const version = 1

/**
 * Spreads partitions evenly, and leaves as many as it can where they are, so that most of what is being
 * handled stays with its handler when the group changes.
 *
 * @param owned The partitions that this member has now.
 */
export function stickyAssigner(topic: string, owned: () => readonly number[]): PartitionAssigner {
  return ({ cluster }) => ({
    name: 'micro-sticky',
    version,
    protocol: ({ topics }) => ({
      name: 'micro-sticky',
      metadata: MemberMetadata.encode({
        version,
        topics,
        userData: Buffer.from(JSON.stringify(owned())),
      }),
    }),
    async assign({ members }) {
      const partitions = cluster.findTopicPartitionMetadata(topic).map((one) => one.partitionId)
      const claims = new Map(
        members
          .filter(({ memberMetadata }) => decode(memberMetadata).topics.includes(topic))
          .map(({ memberId, memberMetadata }) => [memberId, decode(memberMetadata).owned]),
      )
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

/** For each member its partitions: at most one more than any other has, its own ones first. */
export function spread(
  partitions: readonly number[],
  claims: ReadonlyMap<string, readonly number[]>,
): Map<string, number[]> {
  const members = [...claims.keys()].sort()
  const assigned = new Map<string, number[]>(members.map((member) => [member, []]))
  if (members.length === 0) return assigned
  const least = Math.floor(partitions.length / members.length)
  // So many members have one more.
  let more = partitions.length % members.length
  const free = new Set(partitions)
  for (const member of members) {
    const own = assigned.get(member) ?? []
    for (const partition of claims.get(member) ?? []) {
      if (!free.has(partition) || own.length > least) continue
      if (own.length === least) {
        if (more === 0) continue
        more -= 1
      }
      free.delete(partition)
      own.push(partition)
    }
  }
  const byLoad = (a: string, b: string): number =>
    (assigned.get(a)?.length ?? 0) - (assigned.get(b)?.length ?? 0)
  for (const partition of free) {
    const [idlest = ''] = members.toSorted(byLoad)
    assigned.get(idlest)?.push(partition)
  }
  return assigned
}

function decode(metadata: Buffer): { topics: readonly string[]; owned: readonly number[] } {
  const { topics, userData } = MemberMetadata.decode(metadata) ?? { topics: [] }
  try {
    const owned: unknown = JSON.parse(String(userData ?? ''))
    return { topics, owned: Array.isArray(owned) ? owned.filter(Number.isInteger) : [] }
  } catch {
    // Of a member of another kind.
    return { topics, owned: [] }
  }
}
