import { createLifecycle } from '@micro/core/component'
import type { Transport } from '@micro/core/transport'
import { TcpConnection } from './client/tcp-connection.ts'
import { parseAddress, settle, type TcpTransportOptions } from './options.ts'
import { listen } from './server/listener.ts'

/**
 * Calls in our own multiplexed framing, which the README specifies. Opens nothing until a server
 * listens or a client calls.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function tcpTransport(options: TcpTransportOptions = {}): Transport {
  const settings = settle(options)
  const lifecycle = createLifecycle({ label: 'transport "tcp"' })
  return {
    name: 'tcp',
    contract: 'transport/0',
    secured: settings.tls !== undefined,
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health: () => ({ status: lifecycle.closed ? 'down' : 'up' }),
    async listen(receiver, listenOptions) {
      await lifecycle.connect(listenOptions)
      return listen(receiver, settings)
    },
    dial: (endpoint, { node }) =>
      new TcpConnection(parseAddress(endpoint.url, `URL of node ${node}`), settings),
  }
}
