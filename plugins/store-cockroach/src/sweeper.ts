import type { Database } from '@micro/sql-client'
import { createLoop, type Loop } from './loop.ts'
import { createRole } from './role.ts'
import type { Statements } from './statements.ts'

export interface SweeperOptions {
  readonly database: Database
  readonly statements: Statements
  readonly namespace: string
  readonly sweepInterval: number
  readonly history: number
}

/** Rows at a time, so that no one waits for it long. */
const atATime = 500

/** Removes what has lapsed and tells watches of it, and forgets old changes; one instance at a time. */
export function createSweeper(options: SweeperOptions): Loop {
  const { database, statements, namespace, sweepInterval, history } = options
  const role = createRole({ database, statements, namespace, name: 'sweep' })
  // A statement that is done twice by two sweepers does no harm.
  const how = { repeatable: true, background: true }
  let isStopped = false

  const sweep = async (statement: Statements['sweepRecords'], ...values: unknown[]) => {
    for (;;) {
      const { rowCount } = await database.query(statement, [namespace, ...values, atATime], how)
      if (rowCount < atATime || isStopped || role.remaining <= 0) return
    }
  }
  const loop = createLoop(sweepInterval, async () => {
    if (!(await role.take(Math.max(5_000, 3 * sweepInterval)))) return
    await sweep(statements.sweepRecords)
    await sweep(statements.sweepChanges, history)
  })
  return {
    wake: loop.wake,
    get problem() {
      return loop.problem
    },
    async stop() {
      isStopped = true
      await loop.stop()
      // Another takes it when it has run out, if this does not get through.
      await role.leave().catch(() => undefined)
    },
  }
}
