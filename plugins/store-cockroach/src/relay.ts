import type { Broker, BrokerMessage } from '@micro/core/broker'
import { MicroError } from '@micro/core/errors'
import { type Database, prepared } from '@micro/sql-client'
import { createLoop, type Loop } from './loop.ts'
import { toMessage, type WaitingMessage } from './outbox-messages.ts'
import { createRole } from './role.ts'
import type { Statements } from './statements.ts'

export interface RelayOptions {
  readonly database: Database
  readonly statements: Statements
  readonly table: string
  readonly namespace: string
  readonly outbox: {
    readonly broker: Broker
    readonly pollInterval: number
    readonly batch: number
  }
}

/** Milliseconds that a relay may be silent before another takes over. */
const lease = 15_000

/**
 * Publishes messages in the order in which they were committed, and removes them once the broker has
 * them: each at least once. One instance at a time does it.
 */
export function createRelay(options: RelayOptions): Loop {
  const { database, statements, table, namespace, outbox } = options
  const { broker, batch } = outbox
  const role = createRole({ database, statements, namespace, name: 'relay' })
  const how = { repeatable: true, background: true }
  const stopping = new AbortController()
  const outboxTable = `${table}_outbox`
  const next = prepared(`SELECT position, part, topic, key, headers, body FROM ${outboxTable}
    WHERE namespace = $1 AND failure IS NULL ORDER BY position, part LIMIT $2`)
  const which = `namespace = $1 AND (position, part) IN
    (SELECT position, part FROM unnest($2::bigint[], $3::integer[]) AS d (position, part))`
  const remove = prepared(`DELETE FROM ${outboxTable} WHERE ${which}`)
  const setAside = prepared(`UPDATE ${outboxTable} SET failure = $4 WHERE ${which}`)

  const finish = async (messages: readonly WaitingMessage[], failure?: string): Promise<void> => {
    const places = [messages.map(({ position }) => position), messages.map(({ part }) => part)]
    if (failure === undefined) await database.query(remove, [namespace, ...places], how)
    else await database.query(setAside, [namespace, ...places, failure], how)
  }
  const publish = async (messages: readonly WaitingMessage[]): Promise<void> => {
    const { signal } = stopping
    try {
      const [first] = messages
      if (first !== undefined) await broker.publish(first.topic, messages.map(toSent), { signal })
      await finish(messages)
    } catch (error) {
      if (!isRefusal(error)) throw error
      // One of them never gets through, and would keep all others from it.
      if (messages.length === 1) await finish(messages, error.detail)
      else for (const message of messages) await publish([message])
    }
  }
  const loop = createLoop(outbox.pollInterval, async (progressed) => {
    for (;;) {
      if (!(await role.take(lease))) return
      const { rows } = await database.query(next, [namespace, batch], how)
      for (const run of runsOf(rows.map(toMessage))) {
        // Another may be about to begin where this would go on.
        if (stopping.signal.aborted || role.remaining < lease / 3) break
        await publish(run)
        progressed()
      }
      if (rows.length < batch || stopping.signal.aborted) return
    }
  })
  return {
    wake: loop.wake,
    get problem() {
      return loop.problem
    },
    async stop() {
      stopping.abort(new MicroError('failed_precondition', 'the store is closed'))
      await loop.stop()
      await role.leave().catch(() => undefined)
    },
  }
}

/** Neighbours of one topic are published together, so that the order stays. */
function runsOf(messages: readonly WaitingMessage[]): WaitingMessage[][] {
  const runs: WaitingMessage[][] = []
  for (const message of messages) {
    const last = runs.at(-1)
    if (last?.[0]?.topic === message.topic) last.push(message)
    else runs.push([message])
  }
  return runs
}

function toSent({ key, headers, body }: WaitingMessage): BrokerMessage {
  return { key, headers, body }
}

function isRefusal(error: unknown): error is MicroError {
  return MicroError.is(error, 'invalid_argument')
}
