import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Store } from '@micro/core/store'
import { fileStore } from '@micro/plugin-store-file'
import { compare, inFlight, spreadOf } from './measure.ts'

const value = new Uint8Array(1_024).fill(7)
const keys = Array.from({ length: 10_000 }, (_, at) => `key/${at}`)
const keyAt = (at: number): string => keys[at % keys.length] as string

/**
 * Durable writes and reads of 1 KB beside bare calls of `node:sqlite` that do the same: a row by key with
 * its version, and a row for watches, in a log that is flushed to the disk. And listings of one size among more and more.
 */
export async function benchFileStore(): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'bench-file-store-'))
  try {
    for (const width of [1, 32]) await benchCalls(join(root, `width-${width}`), width)
    await benchListing(root)
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}

async function benchCalls(directory: string, width: number): Promise<void> {
  await using store = fileStore({ directory })
  await store.connect()
  const bare = openBare(join(directory, 'bare.db'))
  const calls = 2_000
  let at = 0
  await compare({
    what: `file store, durable writes of 1 KB, ${width} in flight`,
    ours: {
      name: 'micro',
      run: (n) => inFlight(n, width, () => store.write(keyAt(at++), value)),
    },
    // It is synchronous: however many are in flight, they come one after the other.
    peer: {
      name: 'bare node:sqlite',
      run: (n) => inFlight(n, width, async () => bare.write(keyAt(at++))),
    },
    calls,
    rounds: 7,
  })
  for (const key of keys) bare.write(key)
  await inFlight(keys.length, 64, () => store.write(keyAt(at++), value))
  await compare({
    what: `file store, reads of 1 KB, ${width} in flight`,
    ours: { name: 'micro', run: (n) => inFlight(n, width, () => store.read(keyAt(at++))) },
    peer: {
      name: 'bare node:sqlite, awaited',
      run: (n) => inFlight(n, width, async () => bare.read(keyAt(at++))),
    },
    calls: 20_000,
    rounds: 7,
  })
  bare.close()
}

interface Bare {
  write(key: string): void
  read(key: string): unknown
  close(): void
}

function openBare(file: string): Bare {
  const database = new DatabaseSync(file)
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE records (key TEXT PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL);
    CREATE TABLE changes (number INTEGER PRIMARY KEY, key TEXT NOT NULL);
  `)
  const write = database.prepare(`
    INSERT INTO records VALUES (?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET version = excluded.version, value = excluded.value
  `)
  const log = database.prepare('INSERT INTO changes VALUES (?, ?)')
  const begin = database.prepare('BEGIN IMMEDIATE')
  const commit = database.prepare('COMMIT')
  const read = database.prepare('SELECT version, value FROM records WHERE key = ?')
  let version = 0
  return {
    write(key) {
      begin.run()
      write.run(key, ++version, value)
      log.run(version, key)
      commit.run()
    },
    read: (key) => read.get(key),
    close: () => database.close(),
  }
}

/** The cost of a listing is that of what it returns: 100 keys among a thousand, and among a million. */
async function benchListing(root: string): Promise<void> {
  await using small = await filled(join(root, 'small'), 1_000)
  await using large = await filled(join(root, 'large'), 1_000_000)
  const time = async (store: Store): Promise<number> => {
    const rounds = 100
    const started = performance.now()
    for (let round = 0; round < rounds; round++) {
      const prefix = `${String(round % 10).padStart(5, '0')}/`
      for await (const _ of store.list({ prefix, keysOnly: true })) void _
    }
    return ((performance.now() - started) * 1_000) / rounds
  }
  for (let warm = 0; warm < 5; warm++) {
    await time(small)
    await time(large)
  }
  const rounds: { small: number; large: number }[] = []
  for (let round = 0; round < 9; round++) {
    rounds.push({ small: await time(small), large: await time(large) })
  }
  const ratio = spreadOf(rounds.map((round) => round.large / round.small))
  console.log(
    `file store, listing 100 keys: ${spreadOf(rounds.map((one) => one.small)).median.toFixed(0)} µs among 1,000, ` +
      `${spreadOf(rounds.map((one) => one.large)).median.toFixed(0)} µs among 1,000,000` +
      `\n  ratio ${ratio.median.toFixed(2)} (${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)})  ` +
      (ratio.median <= 3 ? 'bar 3 met' : 'BAR 3 MISSED'),
  )
}

async function filled(directory: string, count: number): Promise<Store> {
  // What fills it need not last, and the log is large, so that it takes seconds and not minutes.
  const store = fileStore({ directory, durability: 'normal', checkpointBytes: 2 ** 26 })
  const nothing = new Uint8Array()
  for (let at = 0; at < count; at += 10_000) {
    const some = Array.from({ length: Math.min(10_000, count - at) }, (_, more) => at + more)
    await Promise.all(
      some.map((one) => {
        const group = String(Math.floor(one / 100)).padStart(5, '0')
        return store.write(`${group}/${String(one % 100).padStart(2, '0')}`, nothing)
      }),
    )
  }
  return store
}
