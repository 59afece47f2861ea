import type {
  Broker,
  BrokerMessage,
  BrokerSubscription,
  Deliver,
  Delivery,
} from '@micro/core/broker'

/** What is replaced of a broker that otherwise works. */
export type Break = (broker: Broker) => Partial<Broker>

export type Broken = readonly (readonly [trait: string, what: string, breakIt: Break])[]

/** Changes what is published. */
export function withMessages(
  change: (messages: readonly BrokerMessage[]) => readonly BrokerMessage[],
): Break {
  return (broker) => ({
    publish: (topic, messages, options) => broker.publish(topic, change(messages), options),
  })
}

/** Changes how batches are delivered and settled. */
export function withDeliver(change: (deliver: Deliver) => Deliver): Break {
  return (broker) => ({
    subscribe: (topic, deliver, options) => broker.subscribe(topic, change(deliver), options),
  })
}

/** Changes what is delivered. */
export function withDelivery(change: (delivery: Delivery) => Delivery): Break {
  return withDeliver((deliver) => (lane, batch) => deliver(lane, batch.map(change)))
}

/** Changes the subscription that `subscribe` returns. */
export function withSubscription(
  change: (subscription: BrokerSubscription) => Partial<BrokerSubscription>,
): Break {
  return (broker) => ({
    async subscribe(topic, deliver, options) {
      const subscription = await broker.subscribe(topic, deliver, options)
      return { ...subscription, ...change(subscription) }
    },
  })
}

/** Changes the group that is subscribed to. */
export function withGroup(change: (group: string | undefined) => string | undefined): Break {
  return (broker) => ({
    subscribe: (topic, deliver, options) =>
      broker.subscribe(topic, deliver, { ...options, group: change(options?.group) }),
  })
}

/** Settles before anything has been handled. */
export const acknowledgeFirst: Break = withDeliver((deliver) => async (lane, batch) => {
  deliver(lane, batch).catch(() => undefined)
  return batch.map(() => 'ack')
})

export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
