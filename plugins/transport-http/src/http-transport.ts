import { createLifecycle } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { Transport } from '@micro/core/transport'
import { HttpConnection } from './client/http-connection.ts'
import { type HttpTransportOptions, settle } from './options.ts'
import { listen } from './server/listener.ts'
import { compileRoutes } from './server/routes.ts'

/**
 * Calls by the Connect protocol. Opens nothing until a server listens or a client calls.
 *
 * @throws `invalid_argument`, naming the option.
 */
export function httpTransport(options: HttpTransportOptions = {}): Transport {
  const settings = settle(options)
  // A route that cannot be is told now, not when the port is opened.
  compileRoutes(settings.routes)
  const lifecycle = createLifecycle({ label: 'transport "http"' })
  return {
    name: 'http',
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
    dial(endpoint, { node }) {
      if (!URL.canParse(endpoint.url)) {
        throw new MicroError(
          'invalid_argument',
          `node ${node} announces the URL "${endpoint.url}", which is none`,
          {
            processed: 'no',
          },
        )
      }
      if (settings.tls !== undefined && new URL(endpoint.url).protocol !== 'https:') {
        throw new MicroError(
          'failed_precondition',
          `node ${node} announces ${endpoint.url}, and this transport speaks TLS only`,
          { processed: 'no' },
        )
      }
      return new HttpConnection(endpoint.url, settings)
    },
  }
}
