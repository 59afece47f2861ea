import type { Deliver, Settlement } from '@micro/core/broker'
import { sleep, unrefTimer } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import type { Msg, NatsConnection } from '@nats-io/transport-node'
import { type Origin, toDelivery, toOrigin } from './messages.ts'
import { type Puller, startPuller } from './puller.ts'

export interface LaneOptions {
  readonly name: string
  readonly deliver: Deliver
  readonly batch: number
  /** Messages that it has at most, those in hand included. */
  readonly most: number
  readonly ackWait: number
  /** Whether the server may still know of what is in hand. */
  readonly isAlive: () => boolean
  /** The consumer may have gone. */
  readonly onDoubt: () => void
}

/** What a subscription does with the messages of one consumer: asks, delivers, settles. */
export interface Lane {
  /** The stream's number of the last message that has been settled here; 0 for none. */
  readonly settled: number
  /** The stream has been made anew, and counts from one again. */
  restart(): void
  /** Asks for messages over a connection, from now on. */
  attach(nats: NatsConnection, subject: string): void
  /** Asks for no more, and gives back what is not in hand. */
  detach(): Promise<void>
  /** The same, for good; resolves when what is in hand has been settled. */
  close(): Promise<void>
}

interface Held {
  message: Msg
  origin: Origin
}

const encoder = new TextEncoder()
const ack = encoder.encode('+ACK')
const term = encoder.encode('+TERM')
const working = encoder.encode('+WPI')
const nak = encoder.encode('-NAK')

/** Messages of an ordered lane that are asked for at once. */
const turn = 100
/** A request for messages is made anew after so many milliseconds. */
const requestLife = 30_000
/** After a delivery that settled nothing. */
const shortPause = 100
/** Settlements that are remembered, should their messages come again since they got lost: at least so many. */
const memory = 1_000

export function openLane(options: LaneOptions): Lane {
  const { name, deliver, batch, most, ackWait, isAlive, onDoubt } = options
  const queue: Held[] = []
  let remembered = new Map<string, Uint8Array>()
  let older: typeof remembered = new Map()
  let puller: Puller | undefined
  let inHand = 0
  let settled = 0
  let closing = false
  let wake: (() => void) | undefined

  const pull = (): void => {
    if (puller === undefined || closing) return
    if (most === 1) {
      // The server has them come one by one, and the others of the group have their turns in between: it
      // puts a request that is not filled at the end of all that wait.
      if (puller.expected === 0) puller.pull(turn)
      return
    }
    const room = most - queue.length - puller.expected
    if (room > 0 && room >= most / 2) puller.pull(room)
  }
  const receive = (message: Msg): void => {
    const origin = toOrigin(message.reply ?? '')
    const known = origin && (remembered.get(origin.id) ?? older.get(origin.id))
    if (known !== undefined) {
      // A server that was killed forgets the newest settlements.
      message.respond(known)
      pull()
    } else if (origin !== undefined) keep(message, origin)
  }
  const keep = (message: Msg, origin: Origin): void => {
    const held = queue.find((one) => one.origin.id === origin.id)
    // It was away for longer than it was waited for. It is settled by the newer delivery.
    if (held !== undefined) Object.assign(held, { message, origin })
    else if (puller === undefined || closing) message.respond(nak)
    else queue.push({ message, origin })
    wake?.()
  }
  const answer = ({ message, origin }: Held, settlement: Settlement): void => {
    if (typeof settlement === 'object') {
      // Nanoseconds, of which JSON has no fractions.
      const delay = Math.ceil(settlement.retryAfter) * 1_000_000
      message.respond(delay === 0 ? nak : encoder.encode(`-NAK {"delay":${delay}}`))
      return
    }
    const payload = settlement === 'ack' ? ack : term
    message.respond(payload)
    settled = Math.max(settled, origin.sequence)
    remembered.set(origin.id, payload)
    if (remembered.size < memory) return
    // All at once: to forget the oldest one by one is to look for it past those that have gone.
    older = remembered
    remembered = new Map()
  }

  const deliverNext = async (): Promise<void> => {
    const held = queue.slice(0, batch)
    inHand = held.length
    let settlements: readonly Settlement[]
    try {
      const deliveries = held.map(({ message, origin }) => toDelivery(message, origin))
      settlements = await deliver(name, deliveries)
    } catch {
      // Core's never throws; another's is as good as one that asks for it again.
      settlements = [{ retryAfter: 1_000 }]
    }
    for (const [at, settlement] of settlements.slice(0, inHand).entries()) {
      const one = held[at]
      queue.shift()
      if (one !== undefined) answer(one, settlement)
    }
    inHand = 0
    if (settlements.length === 0) await sleep(shortPause)
  }
  const run = async (): Promise<void> => {
    while (!closing) {
      if (queue.length > 0 && puller !== undefined) await deliverNext()
      else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
        wake = undefined
      }
      pull()
    }
  }
  const keepAlive = unrefTimer(
    setInterval(() => {
      for (const { message } of queue) message.respond(working)
    }, ackWait / 3),
  )
  const giveBack = (): void => {
    for (const { message } of queue.splice(inHand)) message.respond(nak)
  }
  const detach = async (): Promise<void> => {
    const stopping = puller
    puller = undefined
    giveBack()
    await stopping?.stop()
  }

  const running = runInRoot(run)
  return {
    get settled() {
      return settled
    },
    restart() {
      settled = 0
    },
    attach(nats, subject) {
      if (closing) return
      // Without a listener, the server forgets what the former one has asked for.
      void puller?.stop()
      puller = startPuller({ nats, subject, expires: requestLife, onMessage: receive, onDoubt })
      pull()
      wake?.()
    },
    detach,
    async close() {
      closing = true
      wake?.()
      const stopped = detach()
      await untilEither(running, () => !isAlive())
      clearInterval(keepAlive)
      giveBack()
      await stopped
    },
  }
}

/** Waits for work, or until there is no more sense in it. */
async function untilEither(work: Promise<void>, isVain: () => boolean): Promise<void> {
  const done = new AbortController()
  const finished = work.finally(() => done.abort())
  while (!done.signal.aborted && !isVain()) {
    await Promise.race([finished, sleep(50, { signal: done.signal, keepAlive: true })]).catch(
      () => undefined,
    )
  }
}
