import type { Context } from '@micro/core/context'
import type { CallHead, Reply } from '@micro/core/transport'
import type { Dispatcher, Pool } from 'undici'
import { fromTransport, tooLarge } from '../errors.ts'
import { type ResponseHeaders, readReply, toReply } from './read-reply.ts'
import { unaryHeaders } from './request-headers.ts'

export interface Http1Call {
  readonly pool: Pool
  readonly address: string
  readonly head: CallHead
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body: Uint8Array | null
  /** Of the content, where it is compressed. */
  readonly encoding: string | undefined
  readonly context: Context
  readonly maxMessageSize: number
}

/** One unary call by undici's dispatcher, which costs less than its `request`. */
export function callHttp1(call: Http1Call): Promise<Reply> {
  return new Promise<Reply>((resolve, reject) => {
    const headers = unaryHeaders(call.head, call.context)
    if (call.encoding !== undefined) headers.push('content-encoding', call.encoding)
    const handler = new UnaryHandler(call, resolve, reject)
    try {
      call.pool.dispatch(
        { method: call.method, path: call.path, headers, body: call.body },
        handler,
      )
    } catch (error) {
      handler.fail(fromTransport(error, call.address, false))
    }
  })
}

class UnaryHandler implements Dispatcher.DispatchHandler {
  readonly #call: Http1Call
  readonly #resolve: (reply: Reply | Promise<Reply>) => void
  readonly #reject: (error: unknown) => void
  readonly #removeListener: () => void
  #controller: Dispatcher.DispatchController | undefined
  #settled = false
  #status = 0
  #headers: ResponseHeaders = {}
  #first: Buffer | undefined
  #rest: Buffer[] | undefined
  #size = 0

  constructor(
    call: Http1Call,
    resolve: (reply: Reply | Promise<Reply>) => void,
    reject: (error: unknown) => void,
  ) {
    this.#call = call
    this.#resolve = resolve
    this.#reject = reject
    this.#removeListener = call.context.onCancel((reason) => this.fail(reason))
  }

  /** Ends the call now; the request is aborted, or will be as soon as it begins. */
  fail(error: unknown): void {
    if (this.#settled) return
    this.#settled = true
    this.#removeListener?.()
    this.#reject(error)
    this.#controller?.abort(abandoned)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#settled) controller.abort(abandoned)
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: ResponseHeaders,
  ): void {
    this.#status = status
    this.#headers = headers
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.length
    if (this.#size > this.#call.maxMessageSize)
      this.fail(tooLarge(this.#call.maxMessageSize, 'response'))
    else if (this.#first === undefined) this.#first = chunk
    else {
      this.#rest ??= [this.#first]
      this.#rest.push(chunk)
    }
  }

  onResponseEnd(): void {
    if (this.#settled) return
    const { head, maxMessageSize } = this.#call
    const body =
      this.#rest === undefined ? (this.#first ?? empty) : Buffer.concat(this.#rest, this.#size)
    try {
      const reply =
        this.#headers['content-encoding'] === undefined
          ? toReply(head, this.#status, this.#headers, body)
          : readReply(head, this.#status, this.#headers, body, maxMessageSize)
      this.#settled = true
      this.#removeListener()
      this.#resolve(reply)
    } catch (error) {
      this.fail(error)
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    // Undici says when it begins to write a request: before that, nothing was sent.
    this.fail(fromTransport(error, this.#call.address, this.#controller !== undefined))
  }
}

const empty = Buffer.alloc(0)
const abandoned = new Error('the call has ended')
