import type { Awaitable } from '../component/promises.ts'

/**
 * A bounded queue between one writer and one reader: the writer waits while it is full, the reader
 * while it is empty. What is queued is still read after `end`, and dropped after `fail`.
 */
export interface MessageQueue<T> {
  /** Resolves when there is room for another. Rejects once the queue has failed or the reader left. */
  push(message: T): Awaitable<void>
  /** No more messages. What is queued is still read, and then `error` thrown if there is one. */
  end(error?: unknown): void
  /** Ends both sides with `error`. */
  fail(error: unknown): void
  /** One at a time. */
  next(): Promise<IteratorResult<T, undefined>>
}

export interface MessageQueueOptions {
  /** Messages held before the writer waits. */
  readonly capacity: number
  /** Told when there is room again after the queue was full; for sources that push and can pause. */
  readonly onRoom?: () => void
}

export function createMessageQueue<T>(options: MessageQueueOptions): MessageQueue<T> {
  const { capacity, onRoom } = options
  const messages: T[] = []
  let state: 'open' | 'ended' | 'failed' = 'open'
  let failure: unknown
  let reader: PromiseWithResolvers<IteratorResult<T, undefined>> | undefined
  let writer: PromiseWithResolvers<void> | undefined

  const madeRoom = (): void => {
    if (messages.length !== capacity - 1) return
    writer?.resolve()
    writer = undefined
    onRoom?.()
  }

  return {
    push(message) {
      if (state === 'failed') throw failure
      if (state === 'ended') throw failure ?? new Error('write after end')
      if (reader !== undefined) {
        reader.resolve({ done: false, value: message })
        reader = undefined
        return
      }
      messages.push(message)
      if (messages.length < capacity) return
      if (writer === undefined) {
        writer = Promise.withResolvers()
        // A source that pauses and waits for `onRoom` does not listen to it.
        writer.promise.catch(() => undefined)
      }
      return writer.promise
    },
    end(error) {
      if (state !== 'open') return
      state = 'ended'
      failure = error
      if (error === undefined) reader?.resolve({ done: true, value: undefined })
      else reader?.reject(error)
      reader = undefined
      // Nothing more will be written, so a writer that still waits has what it waited for.
      writer?.resolve()
      writer = undefined
    },
    fail(error) {
      if (state === 'failed') return
      state = 'failed'
      failure = error
      messages.length = 0
      reader?.reject(error)
      reader = undefined
      writer?.reject(error)
      writer = undefined
    },
    async next() {
      if (state === 'failed') throw failure
      if (messages.length > 0) {
        const value = messages.shift() as T
        madeRoom()
        return { done: false, value }
      }
      if (state === 'ended') {
        if (failure !== undefined) throw failure
        return { done: true, value: undefined }
      }
      reader = Promise.withResolvers()
      return reader.promise
    },
  }
}
