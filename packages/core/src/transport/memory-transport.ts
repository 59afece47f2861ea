import { createLifecycle } from '../component/lifecycle.ts'
import type { Awaitable } from '../component/promises.ts'
import type { Context } from '../context/context.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { MemoryNetwork } from './memory-network.ts'
import { connectMemoryStream } from './memory-stream.ts'
import type { CallHead, Connection, Peer, Reply, Transport } from './transport.ts'

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
  const lifecycle = createLifecycle({ label: 'transport "memory"' })
  return {
    name: 'memory',
    contract: 'transport/0',
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health: () => ({ status: lifecycle.closed ? 'down' : 'up' }),
    async listen(_receiver, listenOptions) {
      await lifecycle.connect(listenOptions)
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
    // Of the time that is left, the receiver takes care: the context is its own.
    context.throwIfCancelled()
    const receiver = this.#network.find(this.#node) ?? this.#refuse()
    return receiver.unary(head, body, context, this.#peer)
  }

  stream(head: CallHead, context: Context): ReturnType<Connection['stream']> {
    const receiver = this.#network.find(this.#node) ?? { stream: async () => this.#refuse() }
    return connectMemoryStream(receiver, head, context, this.#peer)
  }

  async ping(context: Context): Promise<void> {
    context.throwIfCancelled()
    if (this.#network.find(this.#node) === undefined) this.#refuse()
  }

  async drain(): Promise<void> {}

  async close(): Promise<void> {}

  #refuse(): never {
    throw new MicroError('unavailable', `node ${this.#node} has left this process`, {
      processed: 'no',
    })
  }
}
