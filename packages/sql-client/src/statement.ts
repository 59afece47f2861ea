import { createHash } from 'node:crypto'
import type { SqlQuery } from './pool.ts'

/** SQL with a name of its own, by which a connection prepares it once. */
export interface Statement {
  readonly text: string
  /** Absent for one that is sent as it is each time. */
  readonly name?: string
}

/** For a statement that is sent over and over. */
export function prepared(text: string): Statement {
  // By its text: one connection may serve several components, each with its tables.
  return { text, name: `micro_${createHash('sha256').update(text).digest('hex').slice(0, 24)}` }
}

type MakeQuery = (values: readonly unknown[]) => SqlQuery

/**
 * What is handed to `pg` for a statement. All that stays the same is in a prototype, one for each
 * statement: `pg` copies what an object has itself for every query, and takes long for it.
 */
export function createQueries(
  prepare: boolean,
): (statement: Statement, values: readonly unknown[]) => SqlQuery {
  const makers = new WeakMap<Statement, MakeQuery>()
  return (statement, values) => {
    let make = makers.get(statement)
    if (make === undefined) {
      make = makerOf(statement, prepare)
      makers.set(statement, make)
    }
    return make(values)
  }
}

function makerOf({ text, name }: Statement, prepare: boolean): MakeQuery {
  class Query {
    readonly values: readonly unknown[]
    constructor(values: readonly unknown[]) {
      this.values = values
    }
  }
  const fixed = { text, rowMode: 'array', types }
  Object.assign(Query.prototype, prepare && name !== undefined ? { ...fixed, name } : fixed)
  return (values) => new Query(values) as unknown as SqlQuery
}

/** Columns as the server writes them, whatever parsers a pool has. */
const types = { getTypeParser: () => asIs }

function asIs(text: string): string {
  return text
}

/** The bytes of a column. */
export function bytesOf(column: string | null | undefined): Buffer {
  return column === null || column === undefined
    ? Buffer.alloc(0)
    : Buffer.from(column.slice(2), 'hex')
}
