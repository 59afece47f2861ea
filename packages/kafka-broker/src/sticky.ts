/**
 * The name under which members spread partitions, the same in all plugins: members of one group may be
 * of different plugins. It is told to Kafka with version 1 of the consumer protocol's metadata, whose
 * user data say what the member owns.
 */
export const stickyProtocol = { name: 'micro-sticky', version: 1 } as const

/** @param owned The partitions that a member has now. */
export function encodeOwned(owned: readonly number[]): Buffer {
  return Buffer.from(JSON.stringify(owned))
}

export function decodeOwned(userData: Buffer | null | undefined): readonly number[] {
  try {
    const owned: unknown = JSON.parse(String(userData ?? ''))
    return Array.isArray(owned) ? owned.filter(Number.isInteger) : []
  } catch {
    // Of a member of another kind.
    return []
  }
}

/**
 * For each member its partitions: at most one more than any other has, its own ones first, so that most
 * of what is being handled stays with its handler when the group changes.
 */
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
