import type { Broker } from '../broker/broker.ts'
import { memoryRegistry } from '../registry/memory-registry.ts'
import type { Registry } from '../registry/registry.ts'
import type { CallReceiver } from './transport.ts'

/**
 * A process's own network: services that share one find and call each other without a socket, and
 * reach each other by messages. It is also the way to test services.
 */
export interface MemoryNetwork {
  /** Discovery of services that are given no other registry. */
  readonly registry: Registry
  /** For services that are given no other broker. Made, and its code loaded, when first asked for. */
  broker(): Promise<Broker>
  /** Makes a node callable in process. Returns the removal. */
  attach(node: string, receiver: CallReceiver): () => void
  find(node: string): CallReceiver | undefined
}

export function memoryNetwork(): MemoryNetwork {
  const receivers = new Map<string, CallReceiver>()
  let broker: Promise<Broker> | undefined
  const makeBroker = async (): Promise<Broker> => {
    const { memoryBroker } = await import('../broker/memory-broker.ts')
    return memoryBroker()
  }
  return {
    registry: memoryRegistry(),
    broker() {
      broker ??= makeBroker()
      return broker
    },
    attach(node, receiver) {
      receivers.set(node, receiver)
      return () => {
        if (receivers.get(node) === receiver) receivers.delete(node)
      }
    },
    find: (node) => receivers.get(node),
  }
}
