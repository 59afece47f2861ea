import type { AbortOptions } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { Database, Session, SqlServer } from './database.ts'

/** The tables of one component, as they came to be. */
export interface Schema {
  /** What the names of its tables begin with. */
  readonly table: string
  /** Name of the function that prints it, for errors. */
  readonly printedBy: string
  /** Each takes the tables one version further, and never changes once it is released. */
  readonly steps: readonly ((server: SqlServer) => readonly string[])[]
}

/** All of it as SQL, for whom tables are made by hand. `from` is the version that is there. */
export function printSchema(schema: Schema, server: SqlServer, from = 0): string {
  if (!Number.isInteger(from) || from < 0 || from > schema.steps.length) {
    throw new MicroError(
      'invalid_argument',
      `${schema.printedBy} option from is ${from}; give a whole number from 0 to ${schema.steps.length}`,
    )
  }
  const statements = [
    createVersions(schema),
    ...schema.steps
      .slice(from)
      .flatMap((step, at) => [...step(server), addVersion(schema, from + at + 1)]),
  ]
  return statements.map((statement) => `${statement};\n`).join('\n')
}

/**
 * Brings the tables up to date, or only makes sure that they are. A version beyond the known ones is
 * left alone: newer instances have made it, and steps only add.
 *
 * @throws `failed_precondition` if they are not there and `apply` is false; `permission_denied`.
 */
export async function migrate(
  database: Database,
  schema: Schema,
  { apply, signal }: AbortOptions & { readonly apply: boolean },
): Promise<void> {
  const server = await database.server({ signal })
  const options = { signal, repeatable: true }
  const found = await database.run((session) => versionOf(session, schema), options)
  if (found >= schema.steps.length) return
  if (!apply) {
    throw new MicroError(
      'failed_precondition',
      `the tables ${schema.table}_* are at version ${found}, and ${schema.steps.length} is needed: ` +
        `run what ${schema.printedBy}({ from: ${found} }) prints, or let option migrate do it`,
    )
  }
  await database.run(
    (session) =>
      server === 'postgresql'
        ? session.transaction('read committed', async () => {
            // Instances that start together would make the same tables.
            await session.query({ text: 'SELECT pg_advisory_xact_lock(hashtext($1))' }, [
              `micro ${schema.table}`,
            ])
            await applySteps(session, schema, server)
          })
        : // Each statement can be repeated; a server that changes tables in steps takes no more at once.
          applySteps(session, schema, server),
    options,
  )
}

async function applySteps(session: Session, schema: Schema, server: SqlServer): Promise<void> {
  await session.query({ text: createVersions(schema) })
  const { rows } = await session.query({ text: readVersion(schema) })
  const found = Number(rows[0]?.[0] ?? 0)
  for (const [at, step] of schema.steps.entries()) {
    if (at < found) continue
    for (const statement of step(server)) await session.query({ text: statement })
    await session.query({ text: addVersion(schema, at + 1) })
  }
}

async function versionOf(session: Session, schema: Schema): Promise<number> {
  try {
    const { rows } = await session.query({ text: readVersion(schema) })
    return Number(rows[0]?.[0] ?? 0)
  } catch (error) {
    if (codeOf(error) === '42P01' || codeOf(error) === '3F000') return 0
    throw error
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as { cause?: { code?: string } }).cause?.code
}

function readVersion({ table }: Schema): string {
  return `SELECT max(version) FROM ${table}_schema`
}

function createVersions({ table }: Schema): string {
  return `CREATE TABLE IF NOT EXISTS ${table}_schema (
  version integer PRIMARY KEY,
  applied_at timestamptz NOT NULL DEFAULT now()
)`
}

function addVersion({ table }: Schema, version: number): string {
  return `INSERT INTO ${table}_schema (version) VALUES (${version}) ON CONFLICT (version) DO NOTHING`
}
