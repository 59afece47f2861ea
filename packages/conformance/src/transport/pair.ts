import { Context, rootContext } from '@micro/core/context'
import type { MethodKind } from '@micro/core/definition'
import { MicroError } from '@micro/core/errors'
import { Metadata } from '@micro/core/metadata'
import type {
  CallHead,
  CallReceiver,
  ClientStream,
  Connection,
  Listener,
  Reply,
  Transport,
} from '@micro/core/transport'
import type { Harness } from '../kit/harness.ts'
import type { TransportAbilities } from './options.ts'

export const service = 'conformance'
export const contentType = 'application/json'

const kinds: Readonly<Record<MethodName, MethodKind>> = {
  say: 'unary',
  down: 'server_stream',
  up: 'client_stream',
  both: 'bidi_stream',
}

export type MethodName = 'say' | 'down' | 'up' | 'both'

/** What a case's server does; it echoes where nothing is given. */
export type Handlers = Partial<Pick<CallReceiver, 'unary' | 'stream'>>

/** A server that listens and a connection to it. */
export interface Pair {
  readonly transport: Transport
  readonly listener: Listener
  readonly connection: Connection
}

export interface CallSettings {
  /** @default one without deadline, finished with the call */
  readonly context?: Context
  readonly metadata?: Metadata
}

let nodes = 0

/** Joins two instances on the case's scope, and closes what it opened when the case ends. */
export async function openPair(
  harness: Harness<Transport>,
  abilities: TransportAbilities,
  handlers: Handlers = {},
): Promise<Pair> {
  const server = await harness.open()
  const client = await harness.open()
  nodes += 1
  const node = `node-${nodes}`
  const receiver = receiverOf(handlers)
  const listener =
    abilities.listen === undefined
      ? await server.listen(receiver)
      : await abilities.listen(server, receiver, { scope: harness.scope, node })
  harness.defer(() => listener.close())
  const connection = client.dial({ transport: client.name, url: listener.url }, { node })
  harness.defer(() => connection.close())
  return { transport: server, listener, connection }
}

/** One unary call. Rejects also where the connection throws. */
export async function call(
  { connection }: Pair,
  body: Uint8Array = new Uint8Array(),
  { context = new Context(rootContext), metadata }: CallSettings = {},
): Promise<Reply> {
  try {
    return await connection.unary(headOf(connection, 'say', metadata), body, context)
  } finally {
    context.finish()
  }
}

/** Opens a stream that ends, at the latest, with the case. */
export function openStream(
  harness: Harness<Transport>,
  { connection }: Pair,
  method: Exclude<MethodName, 'say'>,
  { context = new Context(rootContext), metadata }: CallSettings = {},
): ClientStream {
  const stream = connection.stream(headOf(connection, method, metadata), context)
  harness.defer(async () => {
    await stream.return?.()
    context.finish()
  })
  return stream
}

export function headOf(
  connection: Connection,
  method: string,
  metadata: Metadata = new Metadata(),
): CallHead {
  return {
    service,
    method,
    kind: kinds[method as MethodName] ?? 'unary',
    idempotency: 'unknown',
    contentType,
    metadata,
    byReference: connection.byReference === true,
  }
}

export function receiverOf({ unary = echoUnary, stream = echoStream }: Handlers): CallReceiver {
  const find: CallReceiver['find'] = (name, method) =>
    name === service && Object.hasOwn(kinds, method)
      ? {
          service,
          name: method,
          kind: kinds[method as MethodName],
          idempotency: 'unknown',
          contentTypes: [contentType],
        }
      : undefined
  // A transport that does not look methods up itself leaves that to the server.
  const known = ({ service: name, method }: CallHead): void => {
    if (find(name, method) !== undefined) return
    throw new MicroError('unimplemented', `unknown method ${name}/${method}`, { processed: 'no' })
  }
  return {
    ready: true,
    find,
    unary(head, body, context, peer) {
      known(head)
      return unary(head, body, context, peer)
    },
    async stream(head, messages, context, peer) {
      known(head)
      return stream(head, messages, context, peer)
    },
  }
}

const echoUnary: CallReceiver['unary'] = (_head, body) => ({ body })

const echoStream: CallReceiver['stream'] = async (_head, stream) => {
  for await (const message of stream) await stream.write(message)
  return undefined
}

/** Rejects with the reason once the context is cancelled: how a server ends a call that hangs. */
export function untilCancelled(context: Context): Promise<never> {
  return new Promise((_resolve, reject) => context.onCancel(reject))
}
