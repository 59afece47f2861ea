import type { TransportSuiteOptions } from '@micro/conformance/transport'
import { type MemoryNetwork, memoryNetwork, memoryTransport } from '@micro/core/transport'

/** Memory transports, those of one scope on one network. */
export function memoryTransports(copy: 'reference' | 'codec'): TransportSuiteOptions {
  const networks = new Map<string, MemoryNetwork>()
  const networkOf = (scope: string): MemoryNetwork => {
    const network = networks.get(scope) ?? memoryNetwork()
    networks.set(scope, network)
    return network
  }
  return {
    name: `memory, by ${copy}`,
    inProcess: true,
    create: (scope) => memoryTransport({ network: networkOf(scope), copy }),
    async listen(transport, receiver, { scope, node }) {
      const listener = await transport.listen(receiver)
      const detach = networkOf(scope).attach(node, receiver)
      return {
        ...listener,
        async close() {
          detach()
          await listener.close()
        },
      }
    },
  }
}
