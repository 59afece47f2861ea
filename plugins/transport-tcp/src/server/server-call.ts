import { IdTable } from '@micro/core/component'
import type { Context } from '@micro/core/context'
import type { CallHead } from '@micro/core/transport'
import type { PartialMessage } from '../wire/partial-message.ts'
import type { TcpServerStream } from './server-stream.ts'

/** A call under way. */
export class ServerCall {
  readonly id: number
  readonly context: Context
  readonly head: CallHead
  /** Bytes of its request, which are held for it. */
  size = 0
  /** Of a request that comes in parts. */
  partial: PartialMessage | undefined
  stream: TcpServerStream | undefined

  constructor(id: number, context: Context, head: CallHead) {
    this.id = id
    this.context = context
    this.head = head
  }
}

/** The calls of one connection, and the bytes that are held for them. */
export class ServerCalls {
  readonly #calls = new IdTable<ServerCall>()
  readonly #maxPendingBytes: number
  readonly #onIdle: () => void
  #pending = 0

  constructor(maxPendingBytes: number, onIdle: () => void) {
    this.#maxPendingBytes = maxPendingBytes
    this.#onIdle = onIdle
  }

  get size(): number {
    return this.#calls.size
  }

  get(id: number): ServerCall | undefined {
    return this.#calls.get(id)
  }

  all(): readonly ServerCall[] {
    return this.#calls.all()
  }

  add(call: ServerCall): void {
    this.#calls.add(call)
  }

  hasRoom(bytes: number): boolean {
    return this.#pending + bytes <= this.#maxPendingBytes
  }

  hold(call: ServerCall, bytes: number): void {
    call.size += bytes
    this.#pending += bytes
  }

  end(call: ServerCall): void {
    if (!this.#calls.delete(call.id)) return
    call.context.finish()
    this.#pending -= call.size
    if (this.#calls.size === 0) this.#onIdle()
  }
}
