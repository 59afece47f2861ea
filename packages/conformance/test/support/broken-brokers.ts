import { checkMessages } from '@micro/core/broker'
import { type Broken, turn, withDelivery, withGroup, withMessages } from './broken-broker.ts'
import { brokenFlow, brokenOrdering, brokenSettling } from './broken-settling.ts'

const delivering: Broken = [
  ['delivering', 'loses headers', withMessages((all) => all.map((m) => ({ ...m, headers: {} })))],
  ['delivering', 'loses keys', withMessages((all) => all.map(({ key: _, ...m }) => m))],
  ['delivering', 'publishes only the first of a batch', withMessages((all) => all.slice(0, 1))],
  [
    'delivering',
    'takes bodies for text',
    withMessages((all) =>
      all.map((m) => ({ ...m, body: new TextEncoder().encode(new TextDecoder().decode(m.body)) })),
    ),
  ],
  [
    'delivering',
    'shares the publisher’s bytes',
    (broker) => ({
      async publish(topic, messages, options) {
        turn()
          .then(() => broker.publish(topic, messages, options))
          .catch(() => undefined)
      },
    }),
  ],
  [
    'delivering',
    'shares its bytes with the handlers',
    (broker) => {
      const kept = new Map<string, Uint8Array>()
      const change = withDelivery((delivery) => {
        const body = kept.get(delivery.id) ?? delivery.body
        kept.set(delivery.id, body)
        return { ...delivery, body }
      })
      return change(broker)
    },
  ],
  ['delivering', 'gives one id to all', withDelivery((delivery) => ({ ...delivery, id: '1' }))],
  [
    'delivering',
    'counts attempts from zero',
    withDelivery((delivery) => ({ ...delivery, attempt: (delivery.attempt ?? 0) - 1 })),
  ],
  [
    'delivering',
    'folds the case of topics',
    (broker) => ({
      publish: (topic, messages, options) => broker.publish(topic.toLowerCase(), messages, options),
    }),
  ],
  [
    'delivering',
    'takes batches as large as they come',
    (broker) => ({
      subscribe: (topic, deliver, options) =>
        broker.subscribe(topic, deliver, { ...options, batch: 1_000 }),
    }),
  ],
]

const groups: Broken = [
  ['groups', 'delivers to every member of a group', withGroup(() => undefined)],
  ['groups', 'has one group for all', withGroup((group) => group && 'one')],
  ['groups', 'shares messages where no group is named', withGroup((group) => group ?? 'none')],
  [
    'groups',
    'forgets what came while nobody was there',
    (broker) => ({
      async subscribe(topic, deliver, options) {
        const drain = await broker.subscribe(
          topic,
          async (_lane, batch) => batch.map(() => 'ack'),
          options,
        )
        await turn()
        await drain.close()
        return broker.subscribe(topic, deliver, options)
      },
    }),
  ],
]

const refusals: Broken = [
  [
    'refusals',
    'takes any topic',
    (broker) => ({
      publish: (topic, messages, options) =>
        broker.publish(topic.replaceAll(/\W/g, '') || 'x', messages, options),
    }),
  ],
  [
    'refusals',
    'takes a batch size of none',
    (broker) => ({
      subscribe: (topic, deliver, { batch = 1, ...options } = {}) =>
        broker.subscribe(topic, deliver, { ...options, batch: Math.max(1, batch) }),
    }),
  ],
  [
    'refusals',
    'leaves out headers that it cannot carry',
    withMessages((all) => all.map((m) => ({ ...m, headers: {} }))),
  ],
  [
    'refusals',
    'publishes what is good of a bad batch',
    (broker) => ({
      async publish(topic, messages, options) {
        for (const one of messages) await broker.publish(topic, [one]).catch(() => undefined)
        checkMessages(messages)
        await broker.publish(topic, [], options)
      },
    }),
  ],
]

const lifecycle: Broken = [
  [
    'lifecycle',
    'goes on after close',
    (broker) => ({ close: async () => undefined, health: () => broker.health() }),
  ],
  [
    'lifecycle',
    'publishes whatever the signal says',
    (broker) => ({ publish: (topic, messages) => broker.publish(topic, messages) }),
  ],
  [
    'lifecycle',
    'subscribes whatever the signal says',
    (broker) => ({
      subscribe: (topic, deliver, { signal: _, ...options } = {}) =>
        broker.subscribe(topic, deliver, options),
    }),
  ],
]

/** One thing wrong with each, and the trait that has to find it. */
export const brokenBrokers: Broken = [
  ...delivering,
  ...groups,
  ...brokenSettling,
  ...brokenOrdering,
  ...brokenFlow,
  ...refusals,
  ...lifecycle,
]
