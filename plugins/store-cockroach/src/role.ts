import { randomUUID } from 'node:crypto'
import type { Database } from '@micro/sql-client'
import type { Statements } from './statements.ts'

/** Something that one instance does for all of them. */
export interface Role {
  /** Takes it, or keeps it, for that many milliseconds. Whether it has it. */
  take(milliseconds: number): Promise<boolean>
  /** Milliseconds for which it surely has it still, counted from before it asked. */
  readonly remaining: number
  /** Lets another take it. */
  leave(): Promise<void>
}

export interface RoleOptions {
  readonly database: Database
  readonly statements: Statements
  readonly namespace: string
  readonly name: string
}

export function createRole({ database, statements, namespace, name }: RoleOptions): Role {
  const holder = randomUUID()
  const how = { repeatable: true, background: true }
  let isThere = false
  let until = 0

  return {
    get remaining() {
      return until - performance.now()
    },
    async take(milliseconds) {
      if (!isThere) await database.query(statements.addRole, [namespace, name], how)
      isThere = true
      const asked = performance.now()
      const values = [namespace, name, holder, milliseconds]
      const { rowCount } = await database.query(statements.takeRole, values, how)
      until = rowCount > 0 ? asked + milliseconds : 0
      return rowCount > 0
    },
    async leave() {
      if (until < performance.now()) return
      until = 0
      await database.query(statements.leaveRole, [namespace, name, holder], {
        ...how,
        timeout: 1_000,
      })
    },
  }
}
