import { type BrokerMessage, checkMessages, checkTopic } from '@micro/core/broker'
import { MicroError } from '@micro/core/errors'
import { bytesOf, type Session } from '@micro/sql-client'
import type { Column } from './records.ts'

/** A message that a commit publishes: to be, or not to be, with its changes. */
export interface OutboxMessage extends BrokerMessage {
  readonly topic: string
}

/** Of one commit. */
const mostMessages = 1_000

/** @throws `invalid_argument` for what no broker would take. */
export function checkPublish(messages: readonly OutboxMessage[]): void {
  if (messages.length > mostMessages) {
    throw new MicroError(
      'invalid_argument',
      `publish: ${messages.length} messages; give at most ${mostMessages}`,
    )
  }
  for (const [at, { topic }] of messages.entries()) checkTopic(topic, `publish[${at}].topic`)
  checkMessages(messages)
}

export interface Recording {
  readonly table: string
  readonly namespace: string
  readonly messages: readonly OutboxMessage[]
}

/**
 * Their place is drawn once the records are locked, so that of two commits that wait for each other the
 * second has the greater one.
 */
export async function recordMessages(
  session: Session,
  { table, namespace, messages }: Recording,
): Promise<void> {
  const values: unknown[] = [namespace]
  const rows = messages.map(({ topic, key, headers, body }, part) => {
    const first = values.push(topic, key ?? null, JSON.stringify(headers), Buffer.from(body)) - 3
    const [a, b, c, d] = [0, 1, 2, 3].map((more) => first + more)
    return `(${part}, $${a}::text, $${b}::text, $${c}::text, $${d}::bytea)`
  })
  const text = `INSERT INTO ${table}_outbox (namespace, position, part, topic, key, headers, body)
    SELECT $1, drawn.position, m.part, m.topic, m.key, m.headers, m.body
    FROM (SELECT nextval('${table}_outbox_position') AS position) AS drawn,
      (VALUES ${rows.join(', ')}) AS m (part, topic, key, headers, body)`
  await session.query({ text }, values)
}

/** A message that waits, with its place. */
export interface WaitingMessage extends OutboxMessage {
  readonly position: string
  readonly part: string
}

/** Of the columns position, part, topic, key, headers, body. */
export function toMessage(columns: readonly Column[]): WaitingMessage {
  const [position, part, topic, key, headers, body] = columns
  return {
    position: position ?? '',
    part: part ?? '',
    topic: topic ?? '',
    ...(key == null ? {} : { key }),
    headers: JSON.parse(headers ?? '{}') as Record<string, string>,
    body: bytesOf(body),
  }
}
