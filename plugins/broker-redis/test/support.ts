import { useServer } from '@micro/broker-suite'
import type { Broker } from '@micro/core/broker'
import { type RedisBrokerOptions, redisBroker } from '@micro/plugin-broker-redis'
import { type Redis, redisBinary, startRedis } from '@micro/test-services'

export const hasRedis: boolean = redisBinary() !== undefined

export interface Place {
  readonly redis: Redis
  open(options?: RedisBrokerOptions): Broker
  defer(work: () => unknown): void
}

/** A Redis for the tests of a file. What a test opened is closed when it ends, the last first. */
export function usePlace(args: readonly string[] = []): Place {
  const place = useServer(() => startRedis(redisBinary() ?? '', { args }))
  return {
    get redis() {
      return place.server
    },
    open(options = {}) {
      const where = options.client === undefined ? { url: place.server.url } : {}
      const broker = redisBroker({ ...where, timeout: 2_000, leaseTtl: 600, ...options })
      place.defer(() => broker.close())
      return broker
    },
    defer: place.defer,
  }
}
