import { MicroError } from '@micro/core/errors'
import type { Database } from '@micro/sql-client'
import type { Statements } from './statements.ts'

export interface UnknownOptions {
  readonly database: Database
  readonly statements: Statements
  readonly namespace: string
}

/** A change of which it is not known whether it took place. */
export interface UnknownChange {
  /** What it failed with. */
  readonly error: unknown
  /** Id of the change, which nothing else has. */
  readonly id: string
  /** When the call is over, on the clock of `performance.now()`. */
  readonly ends: number
  readonly signal: AbortSignal | undefined
}

/**
 * Whether a change took place whose answer was lost. If it did not it never will, and may be made again.
 *
 * @throws the error itself if it leaves no doubt; `unavailable` with `processed: 'unknown'` when it cannot
 * be found out in time.
 */
export async function tookPlace(
  options: UnknownOptions,
  { error, id, ends, signal }: UnknownChange,
): Promise<boolean> {
  const isOpen = MicroError.is(error, 'unavailable') && error.processed === 'unknown'
  if (!isOpen || signal?.aborted === true || performance.now() >= ends) throw error
  try {
    return await isThere(options, id, { signal, timeout: left(ends) })
  } catch (cause) {
    signal?.throwIfAborted()
    if (MicroError.is(cause, 'failed_precondition')) throw cause
    throw error.with({ processed: 'unknown', cause })
  }
}

/** Milliseconds, for the attempts of one call. */
export function left(ends: number): number {
  return Math.max(1, Math.ceil(ends - performance.now()))
}

/**
 * The id is put there as that of a void change: if the change is still under way the server lets this
 * wait for it, and if it has not begun, its id is taken from now on.
 */
async function isThere(
  { database, statements, namespace }: UnknownOptions,
  id: string,
  limits: { readonly signal: AbortSignal | undefined; readonly timeout: number },
): Promise<boolean> {
  return await database.run(
    async (session) => {
      await session.query(statements.void, [namespace, id])
      const { rows } = await session.query(statements.isVoid, [id])
      return rows[0]?.[0] === 'f'
    },
    { ...limits, repeatable: true },
  )
}
