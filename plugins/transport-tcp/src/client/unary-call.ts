import type { Context } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import type { Reply } from '@micro/core/transport'
import { decodeError, protocolError, tooLarge } from '../errors.ts'
import { frameType, moreFlag } from '../wire/frame.ts'
import { decodeMetadata } from '../wire/metadata-block.ts'
import { PartialMessage } from '../wire/partial-message.ts'
import type { ClientCall } from './client-call.ts'
import type { ClientLink } from './client-link.ts'

/** A unary call that waits for its reply. */
export class UnaryCall implements ClientCall {
  readonly id: number
  readonly #link: ClientLink
  readonly #resolve: (reply: Reply) => void
  readonly #reject: (error: unknown) => void
  readonly #removeListener: () => void
  /** A reply in parts: what it began with. */
  #head: { readonly headers: Reply['headers']; readonly trailers: Reply['trailers'] } | undefined
  #partial: PartialMessage | undefined

  constructor(
    link: ClientLink,
    id: number,
    context: Context,
    resolve: (reply: Reply) => void,
    reject: (error: unknown) => void,
  ) {
    this.#link = link
    this.id = id
    this.#resolve = resolve
    this.#reject = reject
    this.#head = undefined
    this.#partial = undefined
    this.#removeListener = context.onCancel((reason) => this.#cancel(reason))
  }

  receive(type: number, flags: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case frameType.reply:
        this.#onReply(flags, bytes, start, end)
        return
      case frameType.data:
        this.#onPart(bytes.subarray(start, end), (flags & moreFlag) !== 0)
        return
      case frameType.error:
        this.fail(decodeError(bytes.subarray(start, end)))
        return
      default:
        throw protocolError(`frame ${type} for a unary call`)
    }
  }

  fail(error: unknown): void {
    this.#end()
    this.#reject(error)
  }

  #cancel(reason: unknown): void {
    this.#link.cancel(this.id)
    this.#end()
    this.#reject(reason)
  }

  #end(): void {
    this.#removeListener()
    this.#link.forget(this.id)
  }

  #onReply(flags: number, bytes: Buffer, start: number, end: number): void {
    if (end - start < 8) throw protocolError('a reply without its lengths')
    const headersEnd = start + 8 + bytes.readUInt32BE(start)
    const trailersEnd = headersEnd + bytes.readUInt32BE(start + 4)
    if (trailersEnd > end) throw protocolError('a reply shorter than its metadata')
    const read = (from: number, to: number): Reply['headers'] =>
      from === to ? undefined : decodeMetadata(bytes, from, to)
    let headers: Reply['headers']
    let trailers: Reply['trailers']
    try {
      headers = read(start + 8, headersEnd)
      trailers = read(headersEnd, trailersEnd)
    } catch (cause) {
      this.#giveUp(
        new MicroError('internal', 'the reply has malformed metadata', { cause, processed: 'yes' }),
      )
      return
    }
    const body = bytes.subarray(trailersEnd, end)
    if ((flags & moreFlag) !== 0) {
      this.#head = { headers, trailers }
      this.#partial = new PartialMessage(this.#link.settings.maxMessageSize)
      this.#onPart(body, true)
      return
    }
    if (body.length > this.#link.settings.maxMessageSize) {
      this.#giveUp(this.#tooLarge())
      return
    }
    this.#end()
    this.#resolve({ body, headers, trailers })
  }

  #onPart(part: Buffer, more: boolean): void {
    if (this.#partial === undefined) throw protocolError('a part of a reply that has not begun')
    const body = this.#partial.push(part, more)
    if (body === undefined) return
    if (body === 'too large') {
      this.#giveUp(this.#tooLarge())
      return
    }
    this.#end()
    this.#resolve({ body, ...this.#head })
  }

  /** The reply is of no use; the rest of it need not come. */
  #giveUp(error: MicroError): void {
    this.#link.cancel(this.id)
    this.fail(error)
  }

  #tooLarge(): MicroError {
    return tooLarge('response', this.#link.settings.maxMessageSize).with({ processed: 'yes' })
  }
}
