import { Context } from '../context/context.ts'
import { MicroError } from '../errors/micro-error.ts'
import { Metadata } from '../metadata/metadata.ts'
import { createMessageQueue } from './message-queue.ts'
import type { CallHead, CallReceiver, ClientStream, Peer, ServerStream } from './transport.ts'

/** Messages on the way in each direction before the writer waits. */
const capacity = 16

/** Joins a client to a receiver by two queues. Whatever ends one side ends the other. */
export function connectMemoryStream(
  receiver: Pick<CallReceiver, 'stream'>,
  head: CallHead,
  context: Context,
  peer: Peer,
): ClientStream {
  const up = createMessageQueue<Uint8Array>({ capacity })
  const down = createMessageQueue<Uint8Array>({ capacity })
  const opened = Promise.withResolvers<Metadata>()
  // A stream that fails while nobody asked for its headers is told by its iteration.
  opened.promise.catch(() => undefined)
  const serving = new Context(context)
  let trailers = new Metadata()
  let lastActivity = performance.now()
  let isOpen = false

  const open = (headers?: Metadata): void => {
    if (isOpen) return
    isOpen = true
    opened.resolve(new Metadata(headers))
  }
  const fail = (error: unknown): void => {
    opened.reject(error)
    up.fail(error)
    down.fail(error)
    serving.cancel(error)
  }
  const removeListener = context.onCancel(fail)

  const server: ServerStream = {
    get lastActivity() {
      return lastActivity
    },
    open,
    write(message) {
      open()
      lastActivity = performance.now()
      return down.push(message)
    },
    next: () => up.next(),
    async return() {
      // The handler reads no further; the client's writes fail from now on, its reads go on.
      up.fail(new MicroError('cancelled', 'the server reads no further messages'))
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]: () => server,
  }
  const run = async (): Promise<void> => {
    try {
      // Too late to begin.
      context.throwIfCancelled()
      const end = await receiver.stream(head, server, serving, peer)
      trailers = new Metadata(end)
      open()
      down.end()
      up.fail(new MicroError('cancelled', 'the server has ended the stream'))
    } catch (error) {
      opened.reject(error)
      // What was written before is read before it.
      down.end(error)
      up.fail(error)
      serving.cancel(error)
    } finally {
      removeListener()
      serving.finish()
    }
  }
  // `run` handles every failure itself.
  void run()

  const client: ClientStream = {
    headers: opened.promise,
    get trailers() {
      return trailers
    },
    get lastActivity() {
      return lastActivity
    },
    write(message) {
      lastActivity = performance.now()
      return up.push(message)
    },
    end: () => up.end(),
    next: () => down.next(),
    async return() {
      fail(new MicroError('cancelled', 'the caller has ended the stream'))
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]: () => client,
  }
  return client
}
