import type { BrokerMessage } from '@micro/core/broker'
import { sleep } from '@micro/core/component'
import type { MicroError } from '@micro/core/errors'
import { errors, type MsgHdrs } from '@nats-io/transport-node'
import type { Connection } from './connection.ts'
import { fromApi, fromNats } from './errors.ts'
import { toHeaders } from './messages.ts'
import { laneOf, type Names } from './names.ts'
import type { Settings } from './options.ts'
import type { Streams } from './streams.ts'

export interface Publisher {
  publish(
    topic: string,
    messages: readonly BrokerMessage[],
    signal: AbortSignal | undefined,
  ): Promise<void>
}

interface Sending {
  readonly subject: string
  readonly body: Uint8Array
  readonly headers: MsgHdrs
}

interface PublishAnswer {
  readonly error?: { readonly err_code?: number; readonly description?: string }
}

/** Between two attempts while NATS is there and JetStream is not. */
const retryPause = 50

/**
 * Into JetStream, each acknowledged. What has failed is sent again under the same id, by which the
 * server tells what it has already.
 */
export function createPublisher(
  connection: Connection,
  settings: Settings,
  names: Names,
  streams: Streams,
): Publisher {
  const { lanes, timeout } = settings
  const ensured = new Set<string>()
  /** Outages that there had been when a message of the topic was last taken. */
  const taken = new Map<string, number>()
  let next = 0

  const send = async ({ subject, body, headers }: Sending, deadline: number): Promise<void> => {
    const within = deadline - performance.now()
    const answer = await connection.request(subject, body, { within, headers })
    const { error } = answer.json<PublishAnswer>()
    if (error !== undefined) throw fromApi(error.err_code ?? 0, error.description ?? 'refused')
  }
  /** Once it cannot be reached, it is not known whether the stream is still there. */
  const forget = (topic: string, error: unknown): MicroError => {
    taken.delete(topic)
    const { cause } = error as { cause?: unknown }
    if ([error, cause].some((one) => one instanceof errors.NoRespondersError)) ensured.delete(topic)
    return fromNats(error)
  }

  return {
    async publish(topic, messages, signal) {
      const deadline = performance.now() + timeout
      let rest: readonly Sending[] = messages.map((message) => {
        const lane = message.key === undefined ? next++ % lanes : laneOf(message.key, lanes)
        const subject = names.subject(topic, lane)
        // Copied, since the publisher may go on using its own while this one waits.
        return { subject, body: Buffer.from(message.body), headers: toHeaders(message) }
      })
      while (rest.length > 0) {
        const nats = await connection.whenReady({ within: deadline - performance.now(), signal })
        try {
          if (!ensured.has(topic)) {
            await streams.ensure(nats, topic)
            ensured.add(topic)
          }
          // What follows goes out at once, and must not be taken where the first was not: so that goes
          // alone where it is not known to be.
          if (taken.get(topic) !== connection.outages) {
            const [first, ...others] = rest
            if (first !== undefined) await send(first, deadline)
            rest = others
            taken.set(topic, connection.outages)
          }
          const outcomes = await Promise.allSettled(rest.map((one) => send(one, deadline)))
          const failed = outcomes.findIndex(({ status }) => status === 'rejected')
          if (failed === -1) return
          // Also those that have been taken behind it, which the server tells by their ids.
          rest = rest.slice(failed)
          throw (outcomes[failed] as PromiseRejectedResult).reason
        } catch (error) {
          const translated = forget(topic, error)
          if (translated.code !== 'unavailable' || performance.now() >= deadline) throw translated
          signal?.throwIfAborted()
          await sleep(retryPause)
        }
      }
    },
  }
}
