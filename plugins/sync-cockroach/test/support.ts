import { randomUUID } from 'node:crypto'
import type { Sync } from '@micro/core/sync'
import { type CockroachSyncOptions, cockroachSync } from '@micro/plugin-sync-cockroach'
import { type Postgres, postgresBinaries, startPostgres } from '@micro/test-services'
import { afterAll, afterEach } from 'vitest'

export const binaries: string | undefined = postgresBinaries()

/** Full length of proofs at 1. */
export const scale = Number(process.env['MICRO_SCALE'] ?? '0.02')

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** Runs after the test, the last one first. */
export function afterwards(work: () => unknown): void {
  closing.push(work)
}

let shared: Promise<Postgres> | undefined
afterAll(async () => (await shared)?.stop())

/** One server for a file, for tests that leave it as it is. */
export async function server(): Promise<Postgres> {
  shared ??= startPostgres(binaries ?? '')
  return await shared
}

export function newNamespace(): string {
  return `t${randomUUID().slice(0, 8)}`
}

/** A server for one test. */
export async function start(): Promise<Postgres> {
  const postgres = await startPostgres(binaries ?? '')
  afterwards(() => postgres.stop())
  return postgres
}

/** Closed after the test. */
export function open(options: CockroachSyncOptions): Sync {
  const sync = cockroachSync(options)
  afterwards(() => sync.close())
  return sync
}

export function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(signal.reason)
    signal.addEventListener('abort', () => resolve(signal.reason), { once: true })
  })
}

export function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
