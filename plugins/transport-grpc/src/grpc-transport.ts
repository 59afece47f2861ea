import { createLifecycle } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { Transport } from '@micro/core/transport'
import { GrpcConnection } from './client/grpc-connection.ts'
import { type GrpcTransportOptions, parseAddress, settle } from './options.ts'
import { listen } from './server/listener.ts'

/**
 * Calls by gRPC. Opens nothing until a server listens or a client calls.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function grpcTransport(options: GrpcTransportOptions = {}): Transport {
  const settings = settle(options)
  const lifecycle = createLifecycle({ label: 'transport "grpc"' })
  return {
    name: 'grpc',
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
    dial({ url }, { node }) {
      const address = parseAddress(url, `URL of node ${node}`)
      if (address.secure === (settings.tls !== undefined)) {
        return new GrpcConnection(address, settings)
      }
      const why = address.secure ? 'this transport has no tls option' : 'this one speaks TLS only'
      throw new MicroError('failed_precondition', `node ${node} announces ${url}, and ${why}`, {
        processed: 'no',
      })
    },
  }
}
