import { type Broker, MemoryBrokerBackend, memoryBroker } from '@micro/core/broker'

/** Brokers of one scope on one backend, each with a way to crash. */
export function memoryBrokers(): {
  create: (scope: string) => Broker
  crash: (broker: Broker) => void
} {
  const backends = new Map<string, MemoryBrokerBackend>()
  const crashes = new Map<Broker, AbortController>()
  return {
    create(scope) {
      const backend = backends.get(scope) ?? new MemoryBrokerBackend()
      backends.set(scope, backend)
      const crash = new AbortController()
      const broker = memoryBroker({ backend, crash: crash.signal })
      crashes.set(broker, crash)
      return broker
    },
    crash: (broker) => crashes.get(broker)?.abort(),
  }
}
