import { Context, keepShape, rootContext } from '../context/context.ts'
import type { MicroError } from '../errors/micro-error.ts'
import { attemptsKey } from '../metadata/keys.ts'
import { Metadata } from '../metadata/metadata.ts'
import { extractTrace } from '../tracer/propagation.ts'
import type { CallHead, Peer } from '../transport/transport.ts'
import { cancelledAnswer } from './failures.ts'
import type { HandlerContext } from './server.ts'

/** The context of one call at the server: handler context and ambient context in one object. */
export class ServerContext extends Context implements HandlerContext {
  // Declared, and set by the constructor, for the same reason as in Context.
  declare readonly head: CallHead
  declare readonly peer: Peer
  /** What was set, without making it. */
  declare sentHeaders: Metadata | undefined
  declare sentTrailers: Metadata | undefined
  /** Gives the caller its answer when the call is cancelled, whatever the handler does. */
  declare abandon: ((answer: MicroError) => void) | undefined
  // Links of the server's list of running calls.
  declare nextCall: ServerContext | undefined
  declare previousCall: ServerContext | undefined

  constructor(parent: Context, head: CallHead, peer: Peer) {
    super(parent)
    // In process the caller's would be inherited; on any wire it is not.
    this.forwarded = undefined
    this.head = head
    this.peer = peer
    this.sentHeaders = undefined
    this.sentTrailers = undefined
    this.abandon = undefined
    this.nextCall = undefined
    this.previousCall = undefined
    if (head.metadata.size > 0) {
      this.trace = extractTrace(head.metadata) ?? this.trace
      // gRPC's own key; a call that arrives as a retry is not retried again below.
      if (head.metadata.has(attemptsKey)) this.retried = true
    }
  }

  get metadata(): Metadata {
    return this.head.metadata
  }

  get service(): string {
    return this.head.service
  }

  get method(): string {
    return this.head.method
  }

  get headers(): Metadata {
    this.sentHeaders ??= new Metadata()
    return this.sentHeaders
  }

  get trailers(): Metadata {
    this.sentTrailers ??= new Metadata()
    return this.sentTrailers
  }

  protected override get isolated(): boolean {
    return true
  }

  protected override onCancelled(): void {
    this.abandon?.(cancelledAnswer(this))
  }
}

keepShape(new ServerContext(rootContext, { metadata: new Metadata() } as CallHead, {} as Peer))
