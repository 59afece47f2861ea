import { createMessageQueue, type MessageQueue } from '@micro/core/transport'
import { protocolError, tooLarge } from '../errors.ts'
import { frameType, messageCost } from './frame.ts'
import type { FrameWriter } from './frame-writer.ts'
import { PartialMessage } from './partial-message.ts'

interface Arrived {
  readonly message: Uint8Array
  /** What taking it gives back to the writer. */
  readonly cost: number
}

/** The messages of one stream on their way in, and the credit of who sends them. */
export class Inbox {
  readonly #writer: FrameWriter
  readonly #id: number
  readonly #window: number
  readonly #what: 'request' | 'response'
  readonly #partial: PartialMessage
  readonly #queue: MessageQueue<Arrived> = createMessageQueue({
    capacity: Number.POSITIVE_INFINITY,
  })
  #credit: number
  #owed = 0
  #open = true

  constructor(
    writer: FrameWriter,
    id: number,
    limits: { readonly streamCredit: number; readonly maxMessageSize: number },
    what: 'request' | 'response',
  ) {
    this.#writer = writer
    this.#id = id
    this.#window = limits.streamCredit
    this.#credit = limits.streamCredit
    this.#what = what
    this.#partial = new PartialMessage(limits.maxMessageSize)
  }

  /**
   * @throws `internal` if the peer had no credit for it, and `resource_exhausted` for a message that
   *   is too large.
   */
  push(part: Buffer, more: boolean): void {
    if (this.#credit <= 0) throw protocolError('data without credit')
    this.#credit -= part.length + (more ? 0 : messageCost)
    if (!this.#open) {
      this.#owe(part.length + (more ? 0 : messageCost))
      return
    }
    const message = this.#partial.push(part, more)
    if (message === 'too large') throw tooLarge(this.#what, this.#partial.limit)
    // The parts of one message never wait for its reader, or one above the window would for ever.
    if (message === undefined) this.#owe(part.length)
    else void this.#queue.push({ message, cost: part.length + messageCost })
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const step = await this.#queue.next()
    if (step.done === true) return step
    this.#owe(step.value.cost)
    return { done: false, value: step.value.message }
  }

  /** No more will come. What has come is still read, and then `error` thrown if there is one. */
  end(error?: unknown): void {
    this.#open = false
    this.#queue.end(error)
  }

  /** Drops what has come, and what is still to come. */
  fail(error: unknown): void {
    this.#open = false
    this.#queue.fail(error)
  }

  #owe(bytes: number): void {
    this.#owed += bytes
    if (this.#owed * 2 < this.#window) return
    this.#writer.number(frameType.credit, this.#id, this.#owed)
    this.#credit += this.#owed
    this.#owed = 0
  }
}
