import { randomUUID } from 'node:crypto'
import { type AbortOptions, abortable, backoff, jitter, sleep } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import { createLeaseKeeper, heldByAnother } from '@micro/core/sync'
import type { Database, SqlResult } from '@micro/sql-client'
import type { Statements } from './statements.ts'

/** What can be held by one at a time. */
export interface Place {
  readonly name: string
  /** For errors: `lock "orders"`. */
  readonly subject: string
}

export interface Holding {
  readonly token: bigint
  /** Aborts before another can hold the place. */
  readonly lost: AbortSignal
  /** Idempotent. @throws `unavailable`: the place goes free by itself then, when its ttl is over. */
  leave(options?: AbortOptions): Promise<void>
}

export interface TakeOptions {
  /** What others see of who is there. */
  readonly id: string
  /** Milliseconds. */
  readonly ttl: number
  readonly wait: number
  /** Ends the wait. */
  readonly signal: AbortSignal
  /** Work that nobody waits for, until the sync is closed. */
  readonly later: (work: Promise<void>) => void
}

export interface PlacesOptions {
  readonly database: Database
  readonly statements: Statements
  readonly namespace: string
  readonly pollInterval: number
}

/**
 * Takes a place once it is free, and keeps it until it is left.
 *
 * @throws `aborted` when it is another's and `wait` is 0; `unavailable`.
 */
export async function takePlace(
  { database, statements, namespace, pollInterval }: PlacesOptions,
  { name, subject }: Place,
  { id, ttl, wait, signal, later }: TakeOptions,
): Promise<Holding> {
  const holder = randomUUID()
  // By the holder and not by the token, which is not known where an answer was lost.
  const giveBack = async (options?: AbortOptions): Promise<void> => {
    const values = [namespace, name, holder]
    await database.query(statements.leave, values, { ...options, repeatable: true })
  }
  const isHeld = async (): Promise<number | undefined> => {
    const { rows } = await database.query(statements.held, [namespace, name, holder], {
      signal,
      repeatable: true,
    })
    return rows[0] === undefined ? undefined : Number(rows[0][0])
  }
  let taking: Promise<SqlResult> | undefined
  const take = async (): Promise<{ token: bigint; since: number } | undefined> => {
    const since = performance.now()
    // Whoever takes it twice has it once, with the later token. It is not told of an abort: what it does
    // must be known before anything is given back.
    const values = [namespace, name, holder, id, ttl]
    taking = database.query(statements.take, values, { repeatable: true })
    const { rows } = await abortable(taking, signal)
    const token = rows[0]?.[0]
    return token == null ? undefined : { token: BigInt(token), since }
  }
  let taken: Awaited<ReturnType<typeof take>>
  try {
    for (let failures = 0; taken === undefined; ) {
      try {
        taken = await take()
        failures = 0
        if (taken !== undefined) break
        if (wait <= 0) throw heldByAnother(subject, wait)
        for (let left = await isHeld(); left !== undefined; left = await isHeld()) {
          await sleep(Math.min(jitter(pollInterval, 0.5), left + 1), { signal, keepAlive: true })
        }
      } catch (error) {
        signal.throwIfAborted()
        // Who waits for another waits for the database too.
        if (wait <= 0 || !MicroError.is(error, 'unavailable')) throw error
        await sleep(20 + backoff(failures++, { base: 50, max: 1_000 }), { signal, keepAlive: true })
      }
    }
  } catch (error) {
    // It may have been taken all the same, or be so in a moment.
    const settled = taking?.then(ignore, ignore)
    later(Promise.resolve(settled).then(() => giveBack()))
    throw error
  }
  const { token, since } = taken
  const keeper = createLeaseKeeper({
    subject,
    ttl,
    since,
    async renew(options) {
      const values = [namespace, name, String(token), ttl]
      const { rowCount } = await database.query(statements.renew, values, {
        ...options,
        repeatable: true,
        background: true,
        // A renewal that hangs must leave time for another.
        timeout: Math.max(50, Math.ceil(ttl / 3)),
      })
      if (rowCount === 0) throw new MicroError('aborted', 'its lease has lapsed')
    },
  })
  let left: Promise<void> | undefined
  const leave = async (options?: AbortOptions): Promise<void> => {
    keeper.stop()
    left ??= giveBack(options)
    await left.catch((error: unknown) => {
      left = undefined
      throw error
    })
  }
  // Gives free what may still be there, so that nobody has to wait for the end of the ttl.
  keeper.lost.addEventListener('abort', () => later(leave()), { once: true })
  return { token, lost: keeper.lost, leave }
}

function ignore(): void {}
