import type { Awaitable } from '@micro/core/component'
import { protocolError, tooLarge } from '../errors.ts'
import { frameType, maxPayload, messageCost, moreFlag } from './frame.ts'
import type { FrameWriter } from './frame-writer.ts'

interface Waiting {
  readonly message: Uint8Array
  sent: number
  readonly done: PromiseWithResolvers<void>
}

/**
 * The messages of one stream on their way out: in order, only as the reader gives credit, and only
 * as the socket takes them.
 */
export class Outbox {
  readonly #writer: FrameWriter
  readonly #id: number
  readonly #limit: number
  readonly #what: 'request' | 'response'
  #credit: number
  #waiting: Waiting[] = []
  #last: (() => void) | undefined
  #ended = false
  #failed = false
  #failure: unknown
  #listening = false

  constructor(
    writer: FrameWriter,
    id: number,
    limits: { readonly streamCredit: number; readonly maxMessageSize: number },
    what: 'request' | 'response',
  ) {
    this.#writer = writer
    this.#id = id
    this.#credit = limits.streamCredit
    this.#limit = limits.maxMessageSize
    this.#what = what
  }

  /** Resolves when there is room for another. @throws why nothing more can be written. */
  write(message: Uint8Array): Awaitable<void> {
    if (this.#failed) throw this.#failure
    if (this.#ended) throw new Error('write after end')
    if (message.length > this.#limit) throw tooLarge(this.#what, this.#limit)
    const first = this.#waiting.length === 0
    const sent = first ? this.#send(message, 0) : 0
    if (sent < 0) return
    const waiting: Waiting = { message, sent, done: Promise.withResolvers() }
    // Who writes without waiting is told by the stream itself.
    waiting.done.promise.catch(() => undefined)
    this.#waiting.push(waiting)
    if (first) this.#awaitRoom()
    return waiting.done.promise
  }

  /** Calls `last` once all that was written before is on its way. Nothing can be written after. */
  end(last: () => void): void {
    if (this.#ended || this.#failed) return
    this.#ended = true
    if (this.#waiting.length === 0) last()
    else this.#last = last
  }

  /** Drops what waits; writers are told. */
  fail(error: unknown): void {
    if (this.#failed) return
    this.#failed = true
    this.#failure = error
    const waiting = this.#waiting
    this.#waiting = []
    this.#last = undefined
    for (const one of waiting) one.done.reject(error)
  }

  /** The reader takes this many bytes more. */
  grant(bytes: number): void {
    this.#credit += bytes
    if (this.#credit > Number.MAX_SAFE_INTEGER) throw protocolError('credit without end')
    this.#pump()
  }

  /**
   * Sends from byte `from` on as far as it may: while any credit is left, whatever the frame costs.
   * Returns -1 when all has been sent, else the bytes that have.
   */
  #send(message: Uint8Array, from: number): number {
    const { length } = message
    let sent = from
    while (this.#credit > 0 && !this.#writer.congested) {
      const end = Math.min(sent + maxPayload, length)
      const isLast = end === length
      const part = sent === 0 && isLast ? message : message.subarray(sent, end)
      this.#writer.frame(frameType.data, isLast ? 0 : moreFlag, this.#id, part)
      this.#credit -= part.length + (isLast ? messageCost : 0)
      if (isLast) return -1
      sent = end
    }
    return sent
  }

  #pump(): void {
    while (this.#waiting.length > 0) {
      const one = this.#waiting[0] as Waiting
      one.sent = this.#send(one.message, one.sent)
      if (one.sent >= 0) {
        this.#awaitRoom()
        return
      }
      this.#waiting.shift()
      one.done.resolve()
    }
    const last = this.#last
    this.#last = undefined
    last?.()
  }

  #awaitRoom(): void {
    // Without credit the reader's grant is what wakes it.
    if (this.#listening || this.#credit <= 0) return
    this.#listening = true
    this.#writer.onRoom(() => {
      this.#listening = false
      this.#pump()
    })
  }
}
