import {
  acknowledgeFirst,
  type Broken,
  turn,
  withDeliver,
  withDelivery,
  withSubscription,
} from './broken-broker.ts'

export const brokenSettling: Broken = [
  [
    'settling',
    'acknowledges what throws',
    withDeliver((deliver) => async (lane, batch) => {
      try {
        return await deliver(lane, batch)
      } catch {
        return batch.map(() => 'ack')
      }
    }),
  ],
  [
    'settling',
    'forgets what is to be retried',
    withDeliver((deliver) => async (lane, batch) => {
      const settlements = await deliver(lane, batch)
      return settlements.map((one) => (typeof one === 'object' ? 'ack' : one))
    }),
  ],
  [
    'settling',
    'brings the dead back',
    withDeliver((deliver) => async (lane, batch) => {
      const settlements = await deliver(lane, batch)
      return settlements.map((one) => (one === 'dead' ? { retryAfter: 1 } : one))
    }),
  ],
  [
    'settling',
    'takes what is missing for settled',
    withDeliver((deliver) => async (lane, batch) => {
      const settlements = await deliver(lane, batch)
      return batch.map((_, at) => settlements[at] ?? 'ack')
    }),
  ],
  [
    'settling',
    'counts each delivery as the first',
    withDelivery((delivery) => ({ ...delivery, attempt: 1 })),
  ],
  [
    'settling',
    'gives a new id each time',
    withDelivery((delivery) => ({ ...delivery, id: `${delivery.id}/${delivery.attempt}` })),
  ],
  ['settling', 'settles before it is handled', acknowledgeFirst],
  [
    'settling',
    'loses what a closed subscription had not taken',
    (broker) => ({
      async subscribe(topic, deliver, options) {
        let closing = false
        const subscription = await broker.subscribe(
          topic,
          async (lane, batch) => (closing ? batch.map(() => 'ack') : deliver(lane, batch)),
          options,
        )
        return {
          ...subscription,
          async close(closeOptions) {
            closing = true
            subscription.resume()
            await turn()
            await subscription.close(closeOptions)
          },
        }
      },
    }),
  ],
]

export const brokenOrdering: Broken = [
  [
    'ordering',
    'publishes a retried message again, at the end',
    (broker) => ({
      subscribe: (topic, deliver, options) =>
        broker.subscribe(
          topic,
          async (lane, batch) => {
            const settlements = await deliver(lane, batch)
            const again = batch.filter((_, at) => typeof (settlements[at] ?? {}) === 'object')
            await broker.publish(topic, again)
            return batch.map(() => 'ack')
          },
          options,
        ),
    }),
  ],
  ['ordering', 'delivers the next before the settlement', acknowledgeFirst],
  [
    'ordering',
    'spreads the messages of a key over lanes',
    (broker) => ({
      publish: (topic, messages, options) =>
        broker.publish(
          topic,
          messages.map(({ key, ...rest }) => ({ ...rest, headers: { 'its-key': key ?? '' } })),
          options,
        ),
      ...withDelivery((delivery) => ({ ...delivery, key: delivery.headers['its-key'] }))(broker),
    }),
  ],
  [
    'ordering',
    'delivers the newest of a batch first',
    withDeliver((deliver) => (lane, batch) => deliver(lane, batch.toReversed())),
  ],
]

export const brokenFlow: Broken = [
  ['flow', 'takes no notice of a pause', withSubscription(() => ({ pause: () => undefined }))],
  ['flow', 'delivers to none after a pause', withSubscription(() => ({ resume: () => undefined }))],
  [
    'flow',
    'does not wait on close',
    withSubscription((subscription) => ({
      async close() {
        subscription.close().catch(() => undefined)
      },
    })),
  ],
  [
    'flow',
    'waits on close whatever the signal says',
    withSubscription((subscription) => ({ close: () => subscription.close() })),
  ],
  ['flow', 'goes on after close', withSubscription(() => ({ close: async () => undefined }))],
  [
    'flow',
    'ends a subscription with the signal that it was opened with',
    (broker) => ({
      async subscribe(topic, deliver, options) {
        const subscription = await broker.subscribe(topic, deliver, options)
        options?.signal?.addEventListener('abort', () => void subscription.close())
        return subscription
      },
    }),
  ],
  [
    'flow',
    'publishes when the handlers have ended',
    (broker) => {
      const running = new Set<Promise<unknown>>()
      const tracked = withDeliver((deliver) => (lane, batch) => {
        const work = deliver(lane, batch)
        running.add(work)
        return work
      })
      return {
        ...tracked(broker),
        async publish(topic, messages, options) {
          await broker.publish(topic, messages, options)
          await turn()
          await Promise.allSettled(running)
        },
      }
    },
  ],
]
