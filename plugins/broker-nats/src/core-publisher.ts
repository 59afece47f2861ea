import { MicroError } from '@micro/core/errors'
import type { Connection } from './connection.ts'
import { fromNats } from './errors.ts'
import { toHeaders } from './messages.ts'
import { laneOf, type Names } from './names.ts'
import type { Settings } from './options.ts'
import type { Publisher } from './publisher.ts'

/** Over core NATS: the server has it, and passes it on to who is there. */
export function createCorePublisher(
  connection: Connection,
  settings: Settings,
  names: Names,
): Publisher {
  const { lanes, timeout } = settings
  let next = 0
  return {
    async publish(topic, messages, signal) {
      const deadline = performance.now() + timeout
      const prepared = messages.map((message) => {
        const lane = message.key === undefined ? next++ % lanes : laneOf(message.key, lanes)
        return { subject: names.subject(topic, lane), ...message, headers: toHeaders(message) }
      })
      const nats = await connection.whenReady({ within: timeout, signal })
      try {
        for (const { subject, body, headers } of prepared) nats.publish(subject, body, { headers })
        await within(deadline - performance.now(), connection.whileUp(nats.flush()))
      } catch (error) {
        // Not sent again: the server may have passed it on already.
        throw fromNats(error)
      }
    },
  }
}

function within(milliseconds: number, work: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new MicroError('unavailable', 'NATS: no answer in time')),
      Math.max(0, milliseconds),
    )
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
