import { unrefTimer } from '@micro/core/component'
import {
  createInbox,
  type Msg,
  type NatsConnection,
  type Subscription,
} from '@nats-io/transport-node'

export interface PullerOptions {
  readonly nats: NatsConnection
  /** Where requests for messages go. */
  readonly subject: string
  /** Milliseconds after which a request ends that is not filled. */
  readonly expires: number
  readonly onMessage: (message: Msg) => void
  /** The consumer may have gone, or the server restarted: look, and ask again. */
  readonly onDoubt: () => void
}

/** Asks one consumer for messages, over one connection. */
export interface Puller {
  /** How many have been asked for and have not come. */
  readonly expected: number
  pull(count: number): void
  /** Resolves when nothing more comes. */
  stop(): Promise<void>
}

/**
 * A request may end without a word: with the server that had it. The server says at intervals that it
 * still has it, and when it has said nothing for two of them, it is doubted.
 */
export function startPuller(options: PullerOptions): Puller {
  const { nats, subject, expires, onMessage, onDoubt } = options
  const inbox = createInbox()
  // It must be less than half of what it goes with.
  const heartbeat = Math.floor(expires / 4)
  let expected = 0
  let heard = performance.now()
  let stopping: Promise<void> | undefined

  const doubt = (): void => {
    expected = 0
    if (stopping === undefined) onDoubt()
  }
  const onStatus = (code: number, description: string): void => {
    // Still there.
    if (code === 100) return
    // A request that has run out is made anew, as is one that was too much; the rest is doubtful.
    if (code === 408 || code === 404 || /max|exceeded/i.test(description)) expected = 0
    if (code === 408 || code === 404) doubtLater(0)
    else doubtLater(heartbeat / 4)
  }
  const doubtLater = (milliseconds: number): void => {
    clearTimeout(later)
    later = unrefTimer(setTimeout(doubt, milliseconds))
  }
  let later: ReturnType<typeof setTimeout> | undefined
  const sub: Subscription = nats.subscribe(inbox, {
    callback: (error, message) => {
      heard = performance.now()
      if (error !== null) return doubtLater(heartbeat)
      if (message.subject === inbox) {
        return onStatus(message.headers?.code ?? 0, message.headers?.description ?? '')
      }
      expected = Math.max(0, expected - 1)
      onMessage(message)
    },
  })
  const watchdog = unrefTimer(
    setInterval(() => {
      if (expected === 0 || performance.now() - heard < 2.5 * heartbeat) return
      heard = performance.now()
      doubt()
    }, heartbeat / 2),
  )

  const end = async (): Promise<void> => {
    if (sub.isClosed() || nats.isClosed()) return
    // Without a connection there is nothing on its way, and nobody to wait for.
    if (nats.info === undefined) sub.unsubscribe()
    // What is on its way still arrives; then the server has no request of ours any more.
    else await sub.drain().catch(() => undefined)
  }

  return {
    get expected() {
      return expected
    },
    pull(count) {
      if (stopping !== undefined || nats.isClosed()) return
      if (expected === 0) heard = performance.now()
      expected += count
      const million = 1_000_000
      const times = { expires: expires * million, idle_heartbeat: heartbeat * million }
      nats.publish(subject, JSON.stringify({ batch: count, ...times }), { reply: inbox })
    },
    stop() {
      clearInterval(watchdog)
      clearTimeout(later)
      stopping ??= end()
      return stopping
    },
  }
}
