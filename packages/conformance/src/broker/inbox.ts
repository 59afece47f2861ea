import type {
  Broker,
  BrokerMessage,
  BrokerSubscribeOptions,
  BrokerSubscription,
  Delivery,
  Settlement,
} from '@micro/core/broker'

/** A subscription that keeps what it gets, and lets a case wait for it. */
export interface Inbox {
  readonly subscription: BrokerSubscription
  readonly deliveries: Delivery[]
  /** Resolves once so many have come. */
  received(count: number): Promise<readonly Delivery[]>
}

/** What becomes of each delivery; `at` counts from 0. */
export type Settle = (delivery: Delivery, at: number) => Settlement | Promise<Settlement>

export async function openInbox(
  broker: Broker,
  topic: string,
  options: BrokerSubscribeOptions = {},
  settle: Settle = () => 'ack',
): Promise<Inbox> {
  const deliveries: Delivery[] = []
  const waiting: { count: number; resolve: (all: readonly Delivery[]) => void }[] = []
  const subscription = await broker.subscribe(
    topic,
    async (_lane, batch) => {
      const settlements: Settlement[] = []
      for (const delivery of batch) {
        deliveries.push(delivery)
        // Told before it is settled, which some never are.
        for (const one of waiting) if (deliveries.length >= one.count) one.resolve(deliveries)
        const settlement = await settle(delivery, deliveries.length - 1)
        settlements.push(settlement)
        if (typeof settlement === 'object') break
      }
      return settlements
    },
    options,
  )
  return {
    subscription,
    deliveries,
    received: (count) =>
      deliveries.length >= count
        ? Promise.resolve(deliveries)
        : new Promise((resolve) => waiting.push({ count, resolve })),
  }
}

export function message(text: string, more: Partial<BrokerMessage> = {}): BrokerMessage {
  return { body: new TextEncoder().encode(text), headers: {}, ...more }
}

export function textsOf(deliveries: readonly Delivery[]): string[] {
  return deliveries.map(({ body }) => new TextDecoder().decode(body))
}

export function numbers(count: number, prefix = ''): string[] {
  return Array.from({ length: count }, (_, at) => `${prefix}${at}`)
}
