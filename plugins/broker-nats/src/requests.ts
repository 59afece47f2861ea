import { IdTable } from '@micro/core/component'
import {
  createInbox,
  errors,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  type Subscription,
} from '@nats-io/transport-node'

export interface RequestOptions {
  /** Milliseconds. */
  readonly within: number
  readonly headers?: MsgHdrs
}

/**
 * Requests over one connection. The client's own make an error with its stack for each that is answered, and
 * a timer, which costs as much as all the rest.
 */
export interface Requests {
  /** @throws what NATS says, also if it does not answer within the time. */
  request(subject: string, data: Uint8Array | string, options: RequestOptions): Promise<Msg>
  /** No answer comes to those that are under way: all of them, or those of a subject. */
  fail(error: unknown, subject?: string): void
  /** The connection may belong to others, who go on with it. */
  close(): void
}

interface Waiting {
  readonly id: number
  readonly subject: string
  /** On the clock of `performance.now()`. */
  readonly until: number
  readonly resolve: (message: Msg) => void
  readonly reject: (error: unknown) => void
}

/** Milliseconds by which a missing answer may be told too late. */
const tick = 25
const noResponders = 503

export function createRequests(nats: NatsConnection): Requests {
  const inbox = createInbox()
  const waiting = new IdTable<Waiting>()
  let lastId = 0
  let subscription: Subscription | undefined
  let sweeper: ReturnType<typeof setInterval> | undefined

  const end = (one: Waiting): void => {
    waiting.delete(one.id)
    if (waiting.size > 0) return
    clearInterval(sweeper)
    sweeper = undefined
  }
  const sweep = (): void => {
    const now = performance.now()
    for (const one of waiting.all()) {
      if (one.until > now) continue
      end(one)
      one.reject(new errors.TimeoutError())
    }
  }
  const fail: Requests['fail'] = (error, subject) => {
    for (const one of waiting.all()) {
      if (subject !== undefined && one.subject !== subject) continue
      end(one)
      one.reject(error)
    }
  }
  const answered = (error: Error | null, message: Msg): void => {
    // Of the subscription itself: it may not be.
    if (error !== null) {
      subscription = undefined
      fail(error)
      return
    }
    const one = waiting.get(Number(message.subject.slice(inbox.length + 1)))
    // It was given up.
    if (one === undefined) return
    end(one)
    if (message.data.length === 0 && message.headers?.code === noResponders) {
      one.reject(new errors.NoRespondersError(one.subject))
    } else one.resolve(message)
  }

  return {
    request: (subject, data, { within, headers }) =>
      new Promise((resolve, reject) => {
        subscription ??= nats.subscribe(`${inbox}.*`, { callback: answered })
        lastId += 1
        const id = lastId
        const reply = `${inbox}.${id}`
        nats.publish(subject, data, headers === undefined ? { reply } : { reply, headers })
        waiting.add({ id, subject, until: performance.now() + within, resolve, reject })
        // Whoever asks has its own reason to keep the process: the connection.
        sweeper ??= setInterval(sweep, tick).unref()
      }),
    fail,
    close: () => subscription?.unsubscribe(),
  }
}
