import type { Broker } from '@micro/core/broker'
import { redisBroker } from '@micro/plugin-broker-redis'

/** For the loss test: `settings` is where Redis is. */
export function makeBroker(settings: string): Broker {
  return redisBroker({ url: settings, leaseTtl: 1_500, maxLength: 1_000_000 })
}
