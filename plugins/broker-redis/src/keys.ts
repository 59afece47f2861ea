/** Names of what is kept of one topic, all in one slot of a cluster. */
export interface TopicKeys {
  /** A hash: how many partitions there are, and which of them a group waits at. */
  readonly topic: string
  /** By partition. */
  readonly streams: readonly string[]
  /** A sorted set: groups of one subscription each, by when they lapse. */
  readonly passing: string
  /** Channel that says that a partition has something new, by partition. */
  readonly wakes: readonly string[]
  /** The last batch of one publisher. */
  publisher(id: string): string
  group(name: string): GroupKeys
}

interface GroupKeys {
  /** A sorted set: subscriptions, by when they lapse. */
  readonly members: string
  /** Those of them that are paused. */
  readonly paused: string
  /** A hash: who owns each partition, under which token. */
  readonly lanes: string
  /** Channel that says that partitions are to be shared out anew. */
  readonly changes: string
}

export function keysOf(namespace: string, topic: string, partitions: number): TopicKeys {
  const base = `${namespace}:{${topic}}`
  const streams = Array.from({ length: partitions }, (_, at) => `${base}:${at}`)
  return {
    topic: base,
    streams,
    passing: `${base}:passing`,
    wakes: streams.map((stream) => `${stream}:wake`),
    publisher: (id) => `${base}:publisher:${id}`,
    group(name) {
      const group = `${base}:group:${name}`
      return {
        members: `${group}:members`,
        paused: `${group}:paused`,
        lanes: `${group}:lanes`,
        changes: `${group}:changes`,
      }
    },
  }
}
