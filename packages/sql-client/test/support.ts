import type { MicroError } from '@micro/core/errors'
import { createDatabase, type Database, type SqlOptions, settleSql } from '@micro/sql-client'
import { type Postgres, postgresBinaries, startPostgres } from '@micro/test-services'
import { afterAll, afterEach, expect } from 'vitest'

export const binaries: string | undefined = postgresBinaries()

/** One server for a file; tests do not harm it. */
export const postgres: Postgres | undefined =
  binaries === undefined ? undefined : await startPostgres(binaries)
afterAll(() => postgres?.stop())

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** Runs after the test, the last one first. */
export function afterwards(work: () => unknown): void {
  closing.push(work)
}

export function open(options: SqlOptions = {}): Database {
  const { connectionString = postgres?.url, ...more } = options
  const database = createDatabase(
    settleSql(
      'test',
      {
        ...(more.pool === undefined && connectionString !== undefined ? { connectionString } : {}),
        ...more,
      },
      [],
    ),
    'store "test"',
  )
  afterwards(() => database.close())
  return database
}

export async function expectCode(work: Promise<unknown>, code: string): Promise<MicroError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error, `rejects with ${code}`).toMatchObject({ code })
  return error as MicroError
}

/** Waits until `look` passes. */
export async function eventually(look: () => Promise<void>): Promise<void> {
  const end = performance.now() + 10_000
  for (;;) {
    try {
      return await look()
    } catch (error) {
      if (performance.now() > end) throw error
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}
