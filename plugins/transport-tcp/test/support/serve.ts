import { Context, rootContext } from '@micro/core/context'
import type { MethodKind } from '@micro/core/definition'
import { Metadata } from '@micro/core/metadata'
import type { CallHead, CallReceiver, Connection, Listener, Reply } from '@micro/core/transport'
import { type TcpTransportOptions, tcpTransport } from '@micro/plugin-transport-tcp'
import { afterEach } from 'vitest'

const opened: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

const kinds: Record<string, MethodKind> = { say: 'unary', both: 'bidi_stream' }

/** A server on a free port whose `say` and `both` echo unless told otherwise. */
export async function serve(
  options: TcpTransportOptions = {},
  handlers: Partial<Pick<CallReceiver, 'unary' | 'stream'>> = {},
): Promise<Listener> {
  const listener = await tcpTransport(options).listen({
    ready: true,
    find: (service, name) =>
      service === 'conformance' && kinds[name] !== undefined
        ? {
            service,
            name,
            kind: kinds[name],
            idempotency: 'unknown',
            contentTypes: ['application/json'],
          }
        : undefined,
    unary: (_head, body) => ({ body }),
    async stream(_head, stream) {
      for await (const message of stream) await stream.write(message)
      return undefined
    },
    ...handlers,
  })
  opened.push(() => listener.close())
  return listener
}

export function dial(url: string, options: TcpTransportOptions = {}): Connection {
  const connection = tcpTransport(options).dial({ transport: 'tcp', url }, { node: 'node' })
  opened.push(() => connection.close())
  return connection
}

export function headOf(method: 'say' | 'both', metadata: Metadata = new Metadata()): CallHead {
  return {
    service: 'conformance',
    method,
    kind: kinds[method] as MethodKind,
    idempotency: 'unknown',
    contentType: 'application/json',
    metadata,
  }
}

export async function say(
  connection: Connection,
  body: Uint8Array | string = '',
  context: Context = new Context(rootContext),
): Promise<Reply> {
  try {
    return await connection.unary(headOf('say'), Buffer.from(body as string), context)
  } finally {
    context.finish()
  }
}

export function until(context: Context): Promise<never> {
  return new Promise((_resolve, reject) => context.onCancel(reject))
}
