import type { BrokerMessage, Delivery, Settlement } from '@micro/core/broker'

let scopes = 0

/** A namespace that no other test uses. */
export function newScope(): string {
  scopes += 1
  return `s${process.pid}-${scopes}`
}

export function message(text: string, key?: string): BrokerMessage {
  return {
    body: new TextEncoder().encode(text),
    headers: {},
    ...(key === undefined ? {} : { key }),
  }
}

export function textOf({ body }: Delivery): string {
  return new TextDecoder().decode(body)
}

/** A handler that keeps what it gets. */
export interface Collector {
  readonly deliveries: Delivery[]
  texts(): string[]
  deliver(lane: string, batch: readonly Delivery[]): Promise<Settlement[]>
  /** Resolves once there are enough. */
  until(isEnough: (all: readonly Delivery[]) => boolean): Promise<void>
}

export function collector(
  settle: (delivery: Delivery) => Settlement | Promise<Settlement>,
): Collector {
  const deliveries: Delivery[] = []
  const waiting = new Set<() => void>()
  return {
    deliveries,
    texts: () => deliveries.map(textOf),
    async deliver(_lane, batch) {
      const settlements: Settlement[] = []
      for (const delivery of batch) {
        deliveries.push(delivery)
        for (const look of waiting) look()
        settlements.push(await settle(delivery))
      }
      return settlements
    },
    until: (isEnough) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!isEnough(deliveries)) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      }),
  }
}
