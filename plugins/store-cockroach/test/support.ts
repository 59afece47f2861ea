import { randomUUID } from 'node:crypto'
import {
  type CockroachStore,
  type CockroachStoreOptions,
  cockroachStore,
} from '@micro/plugin-store-cockroach'
import {
  type Postgres,
  type PostgresOptions,
  postgresBinaries,
  startPostgres,
} from '@micro/test-services'
import { afterAll, afterEach } from 'vitest'

export const binaries: string | undefined = postgresBinaries()

/** Full length of proofs at 1. */
export const scale = Number(process.env['MICRO_SCALE'] ?? '0.015')

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

/** A server for one test. */
export async function start(options?: PostgresOptions): Promise<Postgres> {
  const postgres = await startPostgres(binaries ?? '', options)
  afterwards(() => postgres.stop())
  return postgres
}

/** Closed after the test. */
export function open(options: CockroachStoreOptions): CockroachStore {
  const store = cockroachStore(options)
  afterwards(() => store.close())
  return store
}

export function newNamespace(): string {
  return `t${randomUUID().slice(0, 8)}`
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes)
}
