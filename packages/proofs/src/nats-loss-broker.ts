import type { Broker } from '@micro/core/broker'
import { natsBroker } from '@micro/plugin-broker-nats'

/** For the loss test: `settings` is where NATS is. */
export function makeBroker(settings: string): Broker {
  return natsBroker({ servers: settings, ackWait: 1_500 })
}
