import { MicroError } from '@micro/core/errors'
import { alreadyThere, type Condition, conflict, type StoreOperation } from '@micro/core/store'
import type { Settings } from './options.ts'
import { headSumOf, isAlive, type Row, type Statements, valueSumOf } from './records.ts'

/** How many changes are made between two trims of the log of changes. */
const trimEach = 64

type Made = number | boolean | undefined

/**
 * All of the operations or none, within a transaction. The new version for each write, for each delete
 * whether there was a record.
 *
 * @throws `aborted`, `already_exists`, before anything is changed.
 */
export function apply(
  statements: Statements,
  operations: readonly StoreOperation[],
  settings: Settings,
): readonly Made[] {
  const now = Date.now()
  const found = operations.map((operation) => {
    const row = statements.head.get(operation.key) as Pick<Row, 'version' | 'expires'> | undefined
    const alive = row !== undefined && isAlive(row, now) ? row : undefined
    requireCondition(operation.key, alive?.version, operation)
    return alive !== undefined
  })
  return operations.map((operation, at) => {
    if (operation.type === 'write') return write(statements, operation, now, settings)
    if (operation.type === 'delete' && found[at] === true) {
      remove(statements, operation.key, settings)
    }
    return operation.type === 'delete' ? found[at] : undefined
  })
}

/** Removes those of the keys whose time is over. */
export function removeLapsed(
  statements: Statements,
  keys: readonly string[],
  settings: Settings,
): void {
  const now = Date.now()
  for (const key of keys) {
    const row = statements.head.get(key) as Pick<Row, 'version' | 'expires'> | undefined
    if (row !== undefined && !isAlive(row, now)) remove(statements, key, settings)
  }
}

/** The number of the latest change, 0 if there was none. */
export function lastChange(statements: Statements): number {
  return ((statements.lastChange.get() as { number: number | null }).number ?? 0) as number
}

/** @throws `resource_exhausted` */
export function requireSize(value: Uint8Array, most: number): void {
  if (value.length <= most) return
  throw new MicroError(
    'resource_exhausted',
    `value: ${value.length} bytes; this store takes at most ${most} (option maxValueSize)`,
  )
}

function write(
  statements: Statements,
  { key, value, ttl, metadata }: StoreOperation & { type: 'write' },
  now: number,
  settings: Settings,
): number {
  const version = addChange(statements, key, settings)
  // Never shorter than asked for, nor beyond what a number holds.
  const expires = ttl === undefined ? null : Math.min(Math.ceil(now + ttl), Number.MAX_SAFE_INTEGER)
  const text =
    metadata === undefined || Object.keys(metadata).length === 0 ? null : JSON.stringify(metadata)
  const headSum = headSumOf({ key, version, expires, metadata: text })
  const valueSum = valueSumOf(value, headSum)
  statements.write.run(key, version, expires, headSum, valueSum, text, value)
  return version
}

function remove(statements: Statements, key: string, settings: Settings): void {
  statements.remove.run(key)
  addChange(statements, key, settings)
}

function addChange(statements: Statements, key: string, { maxChanges }: Settings): number {
  const number = lastChange(statements) + 1
  statements.addChange.run(number, key)
  if (number % trimEach === 0) statements.trimChanges.run(number - maxChanges)
  return number
}

function requireCondition(key: string, version: number | undefined, condition: Condition): void {
  if (condition.ifAbsent === true && version !== undefined) throw alreadyThere(key)
  const { ifVersion } = condition
  if (ifVersion !== undefined && (version === undefined || ifVersion !== String(version))) {
    throw conflict(key)
  }
}
