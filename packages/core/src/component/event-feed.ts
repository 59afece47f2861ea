/** A watch's iterator. `break`, `return` or disposal ends it. */
export interface Watcher<E> extends AsyncIterableIterator<E>, AsyncDisposable {}

export interface EventFeed<E> {
  readonly watcher: Watcher<E>
  push(event: E): void
  /** Ends the iteration once what is queued has been read. */
  end(): void
}

export interface EventFeedOptions<E> {
  /** Events of one key are merged: a reader that is slow sees the last of them only. */
  readonly keyOf: (event: E) => string
  /** Takes the place of everything queued once `limit` keys wait: the reader must look anew. */
  readonly overflow: E
  /** @default 10000 */
  readonly limit?: number
  readonly onClose: () => void
}

/** One watch's queue, which never grows beyond its limit and never loses a key's last state. */
export function createEventFeed<E>(options: EventFeedOptions<E>): EventFeed<E> {
  const { keyOf, overflow, limit = 10_000, onClose } = options
  const queued = new Map<string, E>()
  let ended = false
  let overflown = false
  // Readers may call `next` again before it has settled; each call takes one event.
  const waiting: ((result: IteratorResult<E, undefined>) => void)[] = []

  const take = (): E | undefined => {
    if (overflown) {
      overflown = false
      return overflow
    }
    const first = queued.entries().next()
    if (first.done === true) return undefined
    queued.delete(first.value[0])
    return first.value[1]
  }
  const serve = (): void => {
    while (waiting.length > 0) {
      const event = take()
      if (event === undefined && !ended) return
      const resolve = waiting.shift()
      resolve?.(
        event === undefined ? { done: true, value: undefined } : { done: false, value: event },
      )
    }
  }
  const close = async (): Promise<void> => {
    queued.clear()
    overflown = false
    if (!ended) {
      ended = true
      onClose()
    }
    serve()
  }
  const watcher: Watcher<E> = {
    next: () =>
      new Promise((resolve) => {
        waiting.push(resolve)
        serve()
      }),
    async return() {
      await close()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]: () => watcher,
    [Symbol.asyncDispose]: close,
  }
  return {
    watcher,
    push(event) {
      if (ended) return
      if (event === overflow || queued.size >= limit) {
        queued.clear()
        overflown = true
      } else if (!overflown) {
        const key = keyOf(event)
        // At the end of the queue, so that events keep the order of the last changes.
        queued.delete(key)
        queued.set(key, event)
      }
      serve()
    },
    end() {
      ended = true
      serve()
    },
  }
}
