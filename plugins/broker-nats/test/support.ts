import { useServer } from '@micro/broker-suite'
import type { Broker } from '@micro/core/broker'
import { type NatsBrokerOptions, natsBroker } from '@micro/plugin-broker-nats'
import { type Nats, natsBinary, startNats } from '@micro/test-services'

export const hasNats: boolean = natsBinary() !== undefined

export interface Place {
  readonly nats: Nats
  open(options?: NatsBrokerOptions): Broker
  defer(work: () => unknown): void
}

/** A NATS server for the tests of a file. What a test opened is closed when it ends, the last first. */
export function usePlace(config = ''): Place {
  const place = useServer(() => startNats(natsBinary() ?? '', { config }))
  return {
    get nats() {
      return place.server
    },
    open(options = {}) {
      const where = options.connection === undefined ? { servers: place.server.url } : {}
      const broker = natsBroker({ ...where, timeout: 2_000, ackWait: 600, lanes: 4, ...options })
      place.defer(() => broker.close())
      return broker
    },
    defer: place.defer,
  }
}
