import type {
  BatchHandler,
  BatchSubscribeOptions,
  MessageHandler,
  Messaging,
  SubscribeOptions,
  Subscription,
} from '../broker/messaging.ts'
import type { Topic } from '../broker/topic.ts'
import type { AbortOptions } from '../component/component.ts'
import { MicroError } from '../errors/micro-error.ts'

/** What a service subscribes to, some of it before it has started. */
export interface Subscriptions extends Pick<Messaging, 'subscribe' | 'subscribeBatch'> {
  /** Opens what was asked for so far; from now on subscriptions open at once. */
  open(options?: AbortOptions): Promise<void>
  /** Ends all of them, and waits for their handlers. @throws the first failure, when all have been tried. */
  close(options?: AbortOptions): Promise<void>
}

interface Entry {
  readonly begin: (signal: AbortSignal | undefined) => Promise<Subscription>
  opened: Subscription | undefined
  paused: boolean
  closed: boolean
}

export function createSubscriptions(messaging: Messaging): Subscriptions {
  const entries = new Set<Entry>()
  let state: 'waiting' | 'open' | 'closed' = 'waiting'

  const begin = async (entry: Entry, signal: AbortSignal | undefined): Promise<void> => {
    if (entry.closed || entry.opened !== undefined) return
    entry.opened = await entry.begin(signal)
    if (entry.paused) entry.opened.pause()
    // Closed while it opened.
    if (entry.closed) await entry.opened.close()
  }
  const add = async (
    make: Entry['begin'],
    signal: AbortSignal | undefined,
  ): Promise<Subscription> => {
    if (state === 'closed') {
      throw new MicroError('failed_precondition', 'the service has stopped: subscribe before')
    }
    const entry: Entry = { begin: make, opened: undefined, paused: false, closed: false }
    entries.add(entry)
    try {
      if (state === 'open') await begin(entry, signal)
    } catch (error) {
      entries.delete(entry)
      throw error
    }
    const close = async (options?: AbortOptions): Promise<void> => {
      entry.closed = true
      entries.delete(entry)
      await entry.opened?.close(options)
    }
    return {
      pause() {
        entry.paused = true
        entry.opened?.pause()
      },
      resume() {
        entry.paused = false
        entry.opened?.resume()
      },
      close,
      [Symbol.asyncDispose]: () => close(),
    }
  }

  return {
    subscribe: <In, Out>(
      topic: Topic<In, Out>,
      handler: MessageHandler<Out>,
      options: SubscribeOptions = {},
    ) =>
      add((signal) => messaging.subscribe(topic, handler, { ...options, signal }), options.signal),
    subscribeBatch: <In, Out>(
      topic: Topic<In, Out>,
      handler: BatchHandler<Out>,
      options: BatchSubscribeOptions = {},
    ) =>
      add(
        (signal) => messaging.subscribeBatch(topic, handler, { ...options, signal }),
        options.signal,
      ),
    async open(options) {
      state = 'open'
      for (const entry of entries) await begin(entry, options?.signal)
    },
    async close(options) {
      state = 'closed'
      const closing = [...entries].map((entry) => {
        entry.closed = true
        return entry.opened?.close(options)
      })
      entries.clear()
      const results = await Promise.allSettled(closing)
      for (const result of results) if (result.status === 'rejected') throw result.reason
    },
  }
}
