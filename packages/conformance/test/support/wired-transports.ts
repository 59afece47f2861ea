import type { TransportAbilities, TransportSuiteOptions } from '@micro/conformance/transport'
import { Context } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import {
  type CallReceiver,
  type Connection,
  type Listener,
  type MemoryNetwork,
  memoryNetwork,
  memoryTransport,
  type Transport,
} from '@micro/core/transport'
import { createHold, type Hold } from './hold.ts'

/** Ways to change a transport that is right. */
export interface TransportFault {
  /** What the suite is told. */
  readonly abilities?: TransportAbilities
  readonly transport?: (transport: Transport) => Partial<Transport>
  readonly connection?: (connection: Connection) => Partial<Connection>
  readonly listener?: (listener: Listener) => Partial<Listener>
  /** Between the wire and what is called. */
  readonly receiver?: (receiver: CallReceiver) => Partial<CallReceiver>
}

const maxMessageSize = 1 << 20

/**
 * Memory transports made to behave as over a wire: listeners and connections hold their calls, the
 * receiver has a context of its own, and messages have a limit.
 */
export function wiredTransports(fault: TransportFault = {}): TransportSuiteOptions {
  const networks = new Map<string, MemoryNetwork>()
  const networkOf = (scope: string): MemoryNetwork => {
    const network = networks.get(scope) ?? memoryNetwork()
    networks.set(scope, network)
    return network
  }
  return {
    name: 'memory, as over a wire',
    maxMessageSize,
    create(scope) {
      const network = networkOf(scope)
      const memory = memoryTransport({ network, copy: 'codec' })
      const transport: Transport = {
        ...memory,
        dial(endpoint, { node }) {
          const hold = createHold()
          // A network of its own, whose only node is the wire to the real one.
          const wire = memoryNetwork()
          wire.attach(
            node,
            held(hold, () => network.find(node) ?? refuse()),
          )
          const inner = memoryTransport({ network: wire, copy: 'codec' }).dial(endpoint, { node })
          const connection = limited(inner, hold, async (context) => {
            context.throwIfCancelled()
            if (network.find(node) === undefined) refuse()
          })
          return { ...connection, ...fault.connection?.(connection) }
        },
      }
      return { ...transport, ...fault.transport?.(transport) }
    },
    async listen(transport, receiver, { scope, node }) {
      const { url } = await transport.listen(receiver)
      const hold = createHold()
      const wired = { ...receiver, ...fault.receiver?.(receiver) }
      const detach = networkOf(scope).attach(
        node,
        held(hold, () => wired),
      )
      const listener: Listener = {
        url,
        drain: hold.drain,
        async close() {
          detach()
          await hold.close()
        },
      }
      return { ...listener, ...fault.listener?.(listener) }
    },
    ...fault.abilities,
  }
}

function refuse(): never {
  throw new MicroError('unavailable', 'nobody listens', { processed: 'no' })
}

function held(hold: Hold, find: () => CallReceiver): CallReceiver {
  return {
    ready: true,
    find: () => undefined,
    unary: (head, body, context, peer) =>
      hold.run(context, async (own) => {
        requireSize(body)
        const reply = await find().unary(head, body, own, peer)
        requireSize(reply.body)
        return reply
      }),
    stream: (head, stream, context, peer) =>
      hold.run(context, (own) => {
        const write: typeof stream.write = (message) => {
          requireSize(message)
          return stream.write(message)
        }
        return find().stream(head, Object.create(stream, { write: { value: write } }), own, peer)
      }),
  }
}

function limited(
  inner: Connection,
  hold: Hold,
  ping: (context: Context) => Promise<void>,
): Connection {
  return {
    byReference: false,
    ping,
    drain: hold.drain,
    close: hold.close,
    unary: (head, body, context) => inner.unary(head, body, context),
    stream(head, context) {
      const own = new Context(context)
      const stream = inner.stream(head, own)
      const write: typeof stream.write = (message) => {
        try {
          requireSize(message)
        } catch (error) {
          own.cancel(error)
          throw error
        }
        return stream.write(message)
      }
      return Object.create(stream, { write: { value: write } })
    },
  }
}

function requireSize(message: Uint8Array): void {
  if (message.length <= maxMessageSize) return
  throw new MicroError('resource_exhausted', 'a message above maxMessageSize', { processed: 'no' })
}
