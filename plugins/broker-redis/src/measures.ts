import type { Attributes, Meter } from '@micro/core/meter'

/** What is told to a meter, where there is one. */
export interface Measures {
  readonly wanted: boolean
  /** Messages that the partitions of a subscription still have for it, by partition. */
  lag(source: Source, lags: ReadonlyMap<number, number>): void
  /** Partitions that it had to leave to others, since it was not heard of in time. */
  lost(source: Source): void
  gone(source: Source): void
  close(): void
}

interface Source {
  readonly topic: string
  /** `undefined` for a group of one subscription. */
  readonly group: string | undefined
}

export function createMeasures(meter: Meter | undefined): Measures {
  const sources = new Map<Source, ReadonlyMap<number, number>>()
  const remove = meter?.gauge(
    'messaging.redis.consumer.lag',
    () =>
      [...sources].flatMap(([source, lags]) =>
        [...lags].map(([partition, value]) => ({
          value,
          attributes: {
            ...attributesOf(source),
            'messaging.destination.partition.id': String(partition),
          },
        })),
      ),
    { description: 'Messages of a partition that are not settled', unit: '{message}' },
  )
  const losses = meter?.counter('messaging.redis.consumer.lost', {
    description: 'Partitions that went to others, since their owner was not heard of in time',
    unit: '{partition}',
  })
  return {
    wanted: meter !== undefined,
    lag: (source, lags) => void sources.set(source, lags),
    lost: (source) => losses?.add(1, attributesOf(source)),
    gone: (source) => void sources.delete(source),
    close: () => remove?.(),
  }
}

function attributesOf({ topic, group }: Source): Attributes {
  return {
    'messaging.system': 'redis',
    'messaging.destination.name': topic,
    // Those of one subscription would have a random name each.
    'messaging.consumer.group.name': group ?? '',
  }
}
