import { alreadyThere, conflict, type StoreOperation, type Version } from '@micro/core/store'
import type { Session } from '@micro/sql-client'
import { type OutboxMessage, recordMessages } from './outbox-messages.ts'
import { fromKey, fromMetadata, toKey } from './records.ts'
import type { Statements } from './statements.ts'

export interface Batch {
  readonly statements: Statements
  readonly table: string
  readonly namespace: string
  readonly operations: readonly StoreOperation[]
  /** Of the change that each operation makes. */
  readonly ids: readonly Version[]
  /** Id of the change that tells that the batch took place: that of its first write, if it has one. */
  readonly mark: string
  readonly publish: readonly OutboxMessage[]
}

interface Step {
  readonly operation: StoreOperation
  readonly id: Version
  readonly key: Buffer
}

/**
 * Takes all keys for itself, looks whether the conditions hold, and makes the changes; inside of a
 * transaction. Keys come in order, so that batches wait for each other in one direction.
 *
 * @throws `aborted`, `already_exists`
 */
export async function runBatch(session: Session, batch: Batch): Promise<void> {
  const { statements, namespace, operations, ids, mark, publish, table } = batch
  const steps = operations
    .map((operation, at): Step => ({ operation, id: ids[at] ?? '', key: fromKey(operation.key) }))
    .sort((a, b) => Buffer.compare(a.key, b.key))
  const found = steps.length === 0 ? new Map<string, Found>() : await lock(session, batch, steps)
  for (const { operation } of steps) requireCondition(operation, found.get(operation.key))

  // Nothing can be locked where nothing is. What must stay so until the commit is held by a record that
  // no one else sees: whoever would create it has to wait.
  const absent = steps.filter(
    ({ operation }) => operation.type !== 'write' && !found.has(operation.key),
  )
  if (absent.length > 0) await session.query(statements.hold, [namespace, ...listed(absent)])

  const puts = steps.flatMap(({ operation, id, key }) =>
    operation.type === 'write'
      ? [key, operation.value, fromMetadata(operation.metadata), id, operation.ttl ?? null]
      : [],
  )
  if (puts.length > 0) await session.query(statements.put(puts.length / 5), [namespace, ...puts])
  const deleted = steps.filter(
    ({ operation }) => operation.type === 'delete' && found.get(operation.key)?.isAlive === true,
  )
  if (deleted.length > 0) await session.query(statements.deleteAll, [namespace, ...listed(deleted)])
  if (publish.length > 0) await recordMessages(session, { table, namespace, messages: publish })
  if (absent.length > 0) await session.query(statements.unhold, [namespace, ...listed(absent)])
  if (puts.length === 0) await session.query(statements.mark, [namespace, mark])
}

interface Found {
  readonly version: Version
  readonly isAlive: boolean
}

async function lock(
  session: Session,
  { statements, namespace }: Batch,
  steps: readonly Step[],
): Promise<Map<string, Found>> {
  const { rows } = await session.query(statements.lock, [namespace, steps.map(({ key }) => key)])
  return new Map(
    rows.map(([key, version, isAlive]) => [
      toKey(key),
      { version: version ?? '', isAlive: isAlive === 't' || isAlive === 'true' },
    ]),
  )
}

function requireCondition(operation: StoreOperation, found: Found | undefined): void {
  const { key, ifVersion } = operation
  const isThere = found?.isAlive === true
  if (operation.type !== 'delete' && operation.ifAbsent === true && isThere) throw alreadyThere(key)
  if (ifVersion !== undefined && !(isThere && found.version === ifVersion)) throw conflict(key)
}

function listed(steps: readonly Step[]): [Buffer[], Version[]] {
  return [steps.map(({ key }) => key), steps.map(({ id }) => id)]
}
