import type { Meter } from '@micro/core/meter'

/** What the meter is told. */
export interface Metrics {
  /** Returns the removal. */
  add(source: Source): () => void
  rebalanced(topic: string, groupId: string): void
  restarted(topic: string, groupId: string): void
  close(): void
}

interface Source {
  readonly topic: string
  readonly groupId: string
  /** By partition. */
  readonly lags: () => ReadonlyMap<number, number>
}

export function createMetrics(meter: Meter | undefined): Metrics {
  const sources = new Set<Source>()
  const attributesOf = (topic: string, groupId: string) => ({
    'messaging.system': 'kafka',
    'messaging.destination.name': topic,
    'messaging.consumer.group.name': groupId,
  })
  const rebalances = meter?.counter('messaging.kafka.consumer.rebalances', {
    description: 'Times that a consumer was given its partitions anew',
    unit: '{rebalance}',
  })
  const restarts = meter?.counter('messaging.kafka.consumer.restarts', {
    description: 'Consumers that died and were started anew',
    unit: '{restart}',
  })
  const remove = meter?.gauge(
    'messaging.kafka.consumer.lag',
    () =>
      [...sources].flatMap(({ topic, groupId, lags }) =>
        [...lags()].map(([partition, value]) => ({
          value,
          attributes: {
            ...attributesOf(topic, groupId),
            'messaging.destination.partition.id': String(partition),
          },
        })),
      ),
    { description: 'Messages of a partition that are not settled', unit: '{message}' },
  )
  return {
    add(source) {
      sources.add(source)
      return () => sources.delete(source)
    },
    rebalanced: (topic, groupId) => rebalances?.add(1, attributesOf(topic, groupId)),
    restarted: (topic, groupId) => restarts?.add(1, attributesOf(topic, groupId)),
    close: () => remove?.(),
  }
}
