import { Context, rootContext } from '@micro/core/context'
import type { MethodKind } from '@micro/core/definition'
import { Metadata } from '@micro/core/metadata'
import type { CallHead, CallReceiver, Connection, Listener, Reply } from '@micro/core/transport'
import { type GrpcTransportOptions, grpcTransport } from '@micro/plugin-transport-grpc'
import { afterwards } from './closing.ts'

const kinds: Record<string, MethodKind> = { say: 'unary', both: 'bidi_stream' }

/** A server on a free port whose `say` and `both` echo unless told otherwise. */
export async function serve(
  options: GrpcTransportOptions = {},
  receiver: Partial<CallReceiver> = {},
): Promise<Listener> {
  const listener = await grpcTransport(options).listen({
    find: (service, name) =>
      service === 'conformance' && kinds[name] !== undefined
        ? {
            service,
            name,
            kind: kinds[name],
            idempotency: 'unknown',
            contentTypes: ['application/json', 'application/proto'],
          }
        : undefined,
    unary: (_head, body) => ({ body }),
    async stream(_head, stream) {
      for await (const message of stream) await stream.write(message)
      return undefined
    },
    ...receiver,
    // Not as it was when the server began.
    get ready() {
      return receiver.ready ?? true
    },
  })
  afterwards(() => listener.close())
  return listener
}

export function dial(url: string, options: GrpcTransportOptions = {}): Connection {
  const connection = grpcTransport(options).dial({ transport: 'grpc', url }, { node: 'node' })
  afterwards(() => connection.close())
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
  metadata?: Metadata,
): Promise<Reply> {
  try {
    return await connection.unary(headOf('say', metadata), Buffer.from(body as string), context)
  } finally {
    context.finish()
  }
}

export function until(context: Context): Promise<never> {
  return new Promise((_resolve, reject) => context.onCancel(reject))
}

/** What `work` was rejected with. */
export async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  )
}
