import { randomBytes, randomUUID } from 'node:crypto'
import { cockroachStore } from '@micro/plugin-store-cockroach'
import { postgresBinaries, startPostgres } from '@micro/test-services'
import pg from 'pg'
import { compare, inFlight } from './measure.ts'

const value = randomBytes(1_024)
const keys = Array.from({ length: 1_000 }, (_, at) => `key/${at}`)
const connections = 10
const alive = '(expires_at IS NULL OR expires_at > now())'

/** The statements that the store sends, by hand. */
const read = {
  name: 'read',
  text: `SELECT value, metadata, version, ceil(extract(epoch FROM expires_at) * 1000)::bigint
    FROM micro_store_records WHERE namespace = $1 AND key = $2 AND ${alive}`,
}
const write = {
  name: 'write',
  text: `WITH written AS (
      INSERT INTO micro_store_records AS r (namespace, key, value, metadata, version, expires_at)
      VALUES ($1, $2, $3, $4, $5, now() + $6::float8 * interval '1 millisecond')
      ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value,
        metadata = excluded.metadata, version = excluded.version, expires_at = excluded.expires_at
      RETURNING r.version, r.key
    ) INSERT INTO micro_store_changes (id, namespace, key) SELECT version, $1, key FROM written`,
}

/** The CockroachDB store on a PostgreSQL, beside bare pg with the same statements and pool. */
export async function benchCockroachStore(): Promise<void> {
  const binaries = postgresBinaries()
  if (binaries === undefined) return console.log('cockroach store: PostgreSQL is not installed')
  const postgres = await startPostgres(binaries, { settings: { shared_buffers: '256MB' } })
  const connectionString = postgres.url
  const store = cockroachStore({ connectionString, maxConnections: connections, namespace: 'ours' })
  await store.connect()
  const pool = new pg.Pool({ connectionString, max: connections })
  const cpu = async (): Promise<number> => {
    const { user, system } = process.cpuUsage()
    return user + system
  }
  const bareWrite = (key: string): Promise<unknown> =>
    pool.query({
      ...write,
      values: ['bare', Buffer.from(key), value, null, randomUUID(), null],
    })
  const bareRead = (key: string): Promise<unknown> =>
    pool.query({ ...read, values: ['bare', Buffer.from(key)] })
  for (const key of keys) {
    await store.write(key, value)
    await bareWrite(key)
  }
  let at = 0
  const next = (): string => keys[++at % keys.length] as string
  for (const [width, calls] of [
    [1, 4_000],
    [32, 12_000],
  ] as const) {
    const sides = {
      reads: [() => store.read(next()), () => bareRead(next())],
      writes: [() => store.write(next(), value), () => bareWrite(next())],
    } as const
    for (const [what, [ours, bare]] of Object.entries(sides)) {
      await compare({
        what: `cockroach store on PostgreSQL, ${what} of 1 KB, ${width} in flight, ${connections} connections`,
        ours: { name: 'micro', run: (n) => inFlight(n, width, ours), cpu },
        peer: { name: 'bare pg, same statements', run: (n) => inFlight(n, width, bare), cpu },
        calls,
        bar: 0.9,
      })
    }
  }
  await store.close()
  await pool.end()
  await postgres.stop()
}
