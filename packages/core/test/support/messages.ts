import {
  type Broker,
  type BrokerMessage,
  createMessaging,
  type Delivery,
  type Message,
  type Messaging,
  type MessagingOptions,
  memoryBroker,
} from '@micro/core/broker'
import { jsonCodec } from '@micro/core/codec'
import { type MemoryLogger, memoryLogger } from '@micro/core/logger'
import { afterEach } from 'vitest'

const opened: Broker[] = []
afterEach(async () => {
  for (const broker of opened.splice(0)) await broker.close()
})

/** Messaging over a broker of its own, closed after the test. */
export function startMessaging(options: Partial<MessagingOptions> = {}): {
  broker: Broker
  logger: MemoryLogger
  messaging: Messaging
} {
  const broker = options.broker ?? memoryBroker()
  const logger = memoryLogger()
  opened.push(broker)
  const messaging = createMessaging({
    defaultGroup: 'g',
    codecs: [jsonCodec()],
    logger,
    ...options,
    broker,
  })
  return { broker, logger, messaging }
}

/** Keeps what comes, and lets a test wait for it. */
export interface Collected<T> {
  readonly items: readonly T[]
  add(item: T): void
  /** Resolves once there are so many. */
  reached(count: number): Promise<readonly T[]>
}

export function collect<T>(): Collected<T> {
  const items: T[] = []
  let waiting: { count: number; resolve: (all: readonly T[]) => void }[] = []
  return {
    items,
    add(item) {
      items.push(item)
      for (const one of waiting) if (items.length >= one.count) one.resolve(items)
      waiting = waiting.filter(({ count }) => items.length < count)
    },
    reached: (count) =>
      items.length >= count
        ? Promise.resolve(items)
        : new Promise((resolve) => waiting.push({ count, resolve })),
  }
}

/** Everything that is delivered of `topic`, as the backend has it. */
export async function collectRaw(broker: Broker, topic: string): Promise<Collected<Delivery>> {
  const collected = collect<Delivery>()
  await broker.subscribe(topic, async (_lane, batch) => {
    for (const delivery of batch) collected.add(delivery)
    return batch.map(() => 'ack')
  })
  return collected
}

export function raw(body: string, headers: Record<string, string> = {}): BrokerMessage {
  return { body: new TextEncoder().encode(body), headers }
}

export function textOf({ body }: { body: Uint8Array } = { body: new Uint8Array() }): string {
  return new TextDecoder().decode(body)
}

/** A broker that tells no `attempt`. */
export function uncounted(broker: Broker): Broker {
  return {
    ...broker,
    supports: { ...broker.supports, deliveryCount: false },
    subscribe: (topic, deliver, options) =>
      broker.subscribe(
        topic,
        (lane, batch) =>
          deliver(
            lane,
            batch.map(({ attempt: _, ...delivery }) => delivery),
          ),
        options,
      ),
  }
}

export function valuesOf<T>(messages: readonly Message<T>[]): T[] {
  return messages.map(({ value }) => value)
}
