import type { Attributes, Meter } from '@micro/core/meter'

/** What is told to a meter, where there is one. */
export interface Measures {
  readonly wanted: boolean
  /** Messages that a group has not settled, by lane; of all lanes where order is not kept. */
  lag(source: Source, lags: readonly number[]): void
  /** Messages of core NATS that came when a subscription had no room. */
  dropped(source: Source): void
  gone(source: Source): void
  close(): void
}

interface Source {
  readonly topic: string
  /** `undefined` for a subscription without one. */
  readonly group: string | undefined
}

export function createMeasures(meter: Meter | undefined): Measures {
  const sources = new Map<Source, readonly number[]>()
  const remove = meter?.gauge(
    'messaging.nats.consumer.lag',
    () =>
      [...sources].flatMap(([source, lags]) =>
        lags.map((value, at) => ({
          value,
          attributes: {
            ...attributesOf(source),
            'messaging.destination.partition.id': lags.length === 1 ? 'all' : String(at),
          },
        })),
      ),
    { description: 'Messages of a lane that are not settled', unit: '{message}' },
  )
  const drops = meter?.counter('messaging.nats.consumer.dropped', {
    description: 'Messages of core NATS that came when a subscription had no room',
    unit: '{message}',
  })
  return {
    wanted: meter !== undefined,
    lag: (source, lags) => void sources.set(source, lags),
    dropped: (source) => drops?.add(1, attributesOf(source)),
    gone: (source) => void sources.delete(source),
    close: () => remove?.(),
  }
}

function attributesOf({ topic, group }: Source): Attributes {
  return {
    'messaging.system': 'nats',
    'messaging.destination.name': topic,
    // Those of one subscription would have a random name each.
    'messaging.consumer.group.name': group ?? '',
  }
}
