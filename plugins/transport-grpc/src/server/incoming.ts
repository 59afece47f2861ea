import type { ServerHttp2Stream } from 'node:http2'
import { Context, rootContext } from '@micro/core/context'
import { Metadata } from '@micro/core/metadata'
import type { CallHead, CallReceiver, Peer, ReceivedMethod } from '@micro/core/transport'
import type { Settings } from '../options.ts'
import { fromGrpcType } from '../wire/content-type.ts'
import type { ReceivedHeaders } from '../wire/headers.ts'
import { parseTimeout } from '../wire/timeout.ts'

/** What answers the calls of a method: the service, or the transport itself. */
export interface Target {
  readonly method: ReceivedMethod
  readonly receiver: Pick<CallReceiver, 'unary' | 'stream'>
}

/** What calls of one connection share. */
export interface ServerConnection {
  readonly peer: Peer
  /** Of the connection: data of any call, or a ping. */
  readonly lastReceived: number
  /** Bytes of requests that are not whole yet. */
  pendingBytes: number
}

/** One call, and what is needed to answer it. */
export interface Incoming {
  readonly stream: ServerHttp2Stream
  readonly headers: ReceivedHeaders
  readonly target: Target
  /** As it was asked for, and is answered. */
  readonly grpcType: string
  readonly connection: ServerConnection
  readonly settings: Settings
}

/** A call that is being answered, as far as the listener needs to know it. */
export interface ServedCall {
  /** Answers with `error`, whatever the handler does. */
  abort(error: unknown): void
}

/** @throws `invalid_argument` for a timeout that is none. */
export function openContext({ headers }: Incoming): Context {
  const timeout = headers.known['grpc-timeout']
  return new Context(
    rootContext,
    timeout === undefined ? undefined : { timeout: parseTimeout(timeout) },
  )
}

export function toCallHead({ headers, target, grpcType }: Incoming): CallHead {
  const { service, name, kind, idempotency, contentTypes } = target.method
  return {
    service,
    method: name,
    kind,
    idempotency,
    contentType: fromGrpcType(grpcType, contentTypes),
    metadata: headers.metadata ?? new Metadata(),
  }
}
