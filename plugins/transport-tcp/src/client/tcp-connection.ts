import type { Awaitable } from '@micro/core/component'
import type { Context } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import type { CallHead, ClientStream, Connection, Reply } from '@micro/core/transport'
import { tooLarge } from '../errors.ts'
import type { Address, Settings } from '../options.ts'
import { ClientLink } from './client-link.ts'
import { TcpClientStream } from './client-stream.ts'
import { UnaryCall } from './unary-call.ts'

/** Calls to one endpoint, all on one socket, which is opened for the first and again after its end. */
export class TcpConnection implements Connection {
  readonly #address: Address
  readonly #settings: Settings
  /** The one that takes calls, or is about to. */
  #link: ClientLink | undefined
  #isReady = false
  /** All that have not closed: retired ones still end their calls. */
  readonly #links = new Set<ClientLink>()
  #refusal: string | undefined

  constructor(address: Address, settings: Settings) {
    this.#address = address
    this.#settings = settings
  }

  unary(head: CallHead, body: Uint8Array, context: Context): Awaitable<Reply> {
    return this.#use(context, (link) => call(link, head, body, context))
  }

  stream(head: CallHead, context: Context): ClientStream {
    return new TcpClientStream(head, context, this.#settings, (start) => this.#use(context, start))
  }

  async ping(context: Context): Promise<void> {
    await this.#use(context, (link) =>
      untilCancelled<void>(context, (resolve, reject) => {
        const stop = link.whenClosed(reject)
        // It settles with the answer only.
        void link.ping().then(() => {
          stop()
          resolve()
        })
      }),
    )
  }

  async drain(): Promise<void> {
    this.#refusal ??= 'the connection is draining'
    await Promise.all([...this.#links].map((link) => link.drain()))
  }

  async close(): Promise<void> {
    this.#refusal = 'the connection is closed'
    for (const link of this.#links) link.close()
  }

  /** The link, if calls can be made on it now. */
  #ready(): ClientLink | undefined {
    if (this.#refusal !== undefined) {
      throw new MicroError('unavailable', this.#refusal, { processed: 'no' })
    }
    const link = this.#link
    if (link?.retired === true) this.#link = undefined
    else if (link?.material !== this.#settings.tls?.current() && link !== undefined) {
      // New calls show the new certificate; those under way end where they are.
      this.#link = undefined
      void link.drain()
    }
    return this.#isReady ? this.#link : undefined
  }

  /** Runs `run` with a link that has room for one more call, at once where there is one. */
  #use<T>(context: Context, run: (link: ClientLink) => T): T | Promise<Awaited<T>> {
    const link = this.#ready()
    if (link?.hasRoom === true) return run(link)
    return this.#useLater(context, run)
  }

  async #useLater<T>(context: Context, run: (link: ClientLink) => T): Promise<Awaited<T>> {
    for (;;) {
      context.requireTime()
      const link = this.#ready() ?? (await this.#dial(context))
      if (link.retired) {
        throw new MicroError('unavailable', 'the server takes no more calls', { processed: 'no' })
      }
      // What waits beside this one may have taken the room meanwhile.
      if (link.hasRoom) return await run(link)
      await untilCancelled(context, (resolve, reject) => link.room().then(resolve, reject))
    }
  }

  #dial(context: Context): Promise<ClientLink> {
    if (this.#link === undefined) {
      this.#isReady = false
      const link = new ClientLink(this.#address, this.#settings, (closed) => {
        this.#links.delete(closed)
        if (this.#link === closed) this.#link = undefined
      })
      this.#link = link
      this.#links.add(link)
      link.ready.then(
        () => {
          if (this.#link === link) this.#isReady = true
        },
        // Told to the calls that wait for it.
        () => undefined,
      )
    }
    const { ready } = this.#link
    return untilCancelled(context, (resolve, reject) => {
      ready.then(resolve, reject)
    })
  }
}

function call(
  link: ClientLink,
  head: CallHead,
  body: Uint8Array,
  context: Context,
): Promise<Reply> {
  const { maxMessageSize } = link.limits
  if (body.length > maxMessageSize) {
    throw tooLarge('request', maxMessageSize).with({ processed: 'no' })
  }
  return new Promise((resolve, reject) => {
    const id = link.begin(head, body, context)
    link.add(new UnaryCall(link, id, context, resolve, reject))
  })
}

/** As `new Promise`, and rejects with the context's reason once it is cancelled. */
function untilCancelled<T>(
  context: Context,
  run: (resolve: (value: T) => void, reject: (error: unknown) => void) => void,
): Promise<T> {
  let removeListener: (() => void) | undefined
  const promise = new Promise<T>((resolve, reject) => {
    removeListener = context.onCancel(reject)
    run(resolve, reject)
  })
  return promise.finally(removeListener)
}
