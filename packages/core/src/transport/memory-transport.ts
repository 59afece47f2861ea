import type { Awaitable } from '../component/promises.ts'
import { staticComponent } from '../component/static-component.ts'
import type { Context } from '../context/context.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { MemoryNetwork } from './memory-network.ts'
import { connectMemoryStream } from './memory-stream.ts'
import type { CallHead, CallReceiver, Connection, Peer, Reply, Transport } from './transport.ts'

export interface MemoryTransportOptions {
  readonly network: MemoryNetwork
  /**
   * `reference` hands messages over as they are, and neither side may change one afterwards.
   * `codec` passes them through their encoding, as a real wire would.
   *
   * @default 'reference'
   */
  readonly copy?: 'reference' | 'codec'
}

/** Calls within the process, through the same pipeline as any other. */
export function memoryTransport(options: MemoryTransportOptions): Transport {
  const { network } = options
  const byReference = options.copy !== 'codec'
  return {
    ...staticComponent('memory', 'transport/0'),
    async listen() {
      // The network knows the node already; there is no port to open.
      return { url: 'memory:', drain: async () => undefined, close: async () => undefined }
    },
    dial: (_endpoint, { node }) => new MemoryConnection(network, node, byReference),
  }
}

class MemoryConnection implements Connection {
  readonly byReference: boolean
  readonly #network: MemoryNetwork
  readonly #node: string
  readonly #peer: Peer

  constructor(network: MemoryNetwork, node: string, byReference: boolean) {
    this.#network = network
    this.#node = node
    this.byReference = byReference
    this.#peer = { transport: 'memory', address: 'in process' }
  }

  unary(head: CallHead, body: Uint8Array, context: Context): Awaitable<Reply> {
    return this.#find().unary(head, body, context, this.#peer)
  }

  stream(head: CallHead, context: Context): ReturnType<Connection['stream']> {
    return connectMemoryStream(this.#find(), head, context, this.#peer)
  }

  async ping(): Promise<void> {
    this.#find()
  }

  async drain(): Promise<void> {}

  async close(): Promise<void> {}

  #find(): CallReceiver {
    const receiver = this.#network.find(this.#node)
    if (receiver !== undefined) return receiver
    throw new MicroError('unavailable', `node ${this.#node} has left this process`, {
      processed: 'no',
    })
  }
}
