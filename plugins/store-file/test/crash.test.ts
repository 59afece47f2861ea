import { once } from 'node:events'
import { copyFile, mkdir, open, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { StoreRecord } from '@micro/core/store'
import { fileStore } from '@micro/plugin-store-file'
import { expect, test } from 'vitest'
import { keyOf, keys, roundOf } from './history.ts'
import { kill, scale, usePlace } from './support.ts'

const place = usePlace()
const rounds = Math.max(20, Math.round(1_000 * scale))

interface Acknowledged {
  readonly round: number
  readonly version: number
}

/** Starts a writer, kills it some time after its first write, and returns what it had said. */
async function writeAndKill(
  writer: string,
  first: number,
  after: number,
  checkpointBytes = 65_536,
): Promise<readonly Acknowledged[]> {
  const child = place.run('write-until-killed.ts', writer, String(first), String(checkpointBytes))
  const { stdout } = child
  if (stdout === null) throw new Error('the child has no output')
  await once(stdout, 'readable')
  const said = text(stdout)
  await new Promise((resolve) => setTimeout(resolve, after))
  await kill(child)
  return (await said)
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [round = '', version = ''] = line.split(' ')
      return { round: Number(round), version: Number(version) }
    })
}

test(`after ${rounds} kills of writers, every acknowledged write is there`, {
  timeout: 3_600_000,
}, async () => {
  const latest = new Map<string, Acknowledged>()
  const next = { a: 0, b: 0 }
  let acknowledged = 0
  const take = async (writer: 'a' | 'b'): Promise<void> => {
    const said = await writeAndKill(writer, next[writer], Math.random() * 60)
    expect(said.length).toBeGreaterThan(0)
    acknowledged += said.length
    for (const one of said) latest.set(keyOf(writer, one.round), one)
    // Some were written and not acknowledged: those rounds are left out.
    next[writer] = Math.max(...said.map(({ round }) => round)) + 17
  }
  for (let round = 0; round < rounds; round += 2) {
    await Promise.all([take('a'), take('b')])
    // Checks the whole file as it opens it.
    await using store = fileStore({ directory: place.directory, verifyBytes: 2 ** 40 })
    const records = await Array.fromAsync(store.list())
    expectAll(latest, records)
  }
  expect(acknowledged).toBeGreaterThan(rounds * 2)
})

function expectAll(
  latest: ReadonlyMap<string, Acknowledged>,
  records: readonly StoreRecord[],
): void {
  const found = new Map(records.map((record) => [record.key, record]))
  for (const [key, { round, version }] of latest) {
    const record = found.get(key)
    const written = record === undefined ? undefined : roundOf(key, record.value)
    expect(written, key).toBeGreaterThanOrEqual(round)
    if (written === round) expect(record?.version, key).toBe(String(version))
  }
  for (const { key, value } of records) expect(roundOf(key, value), key).toBeTypeOf('number')
}

/**
 * Nothing is taken over into the file here, so all that was written is in the log; a damaged log is as if
 * the last of it had never been, and the file is as it was at some moment.
 */
test('a log that is torn or flipped somewhere gives an earlier state, and no wrong value', async () => {
  const said = await writeAndKill('a', 0, 300, 2 ** 30)
  const log = await stat(`${place.file}-wal`)
  expect(log.size).toBeGreaterThan(100_000)
  const versions = new Map<string, number[]>()
  for (const { round, version } of said) {
    const key = keyOf('a', round)
    versions.set(key, [...(versions.get(key) ?? []), version])
  }
  const last = Math.max(...said.map(({ version }) => version))
  let shorter = 0
  const damages = Math.max(40, Math.round(2_000 * scale))
  for (let at = 0; at < damages; at++) {
    const copy = join(place.directory, `copy-${at}`)
    const file = await copyTo(copy)
    const offset = Math.floor(Math.random() * log.size)
    if (at > 0) await (at % 2 === 0 ? tear(file, offset) : flip(file, offset))
    await using store = fileStore({ directory: copy })
    const records = await Array.fromAsync(store.list())
    const reached = Math.max(0, ...records.map(({ version }) => Number(version)))
    if (at === 0) expect(reached).toBeGreaterThanOrEqual(last)
    if (reached < last) shorter += 1
    for (const { key, value, version } of records) {
      expect(roundOf(key, value), key).toBeTypeOf('number')
      // The latest of those that had been written by then; the last ones may not have been acknowledged.
      const before = (versions.get(key) ?? []).filter((one) => one <= reached)
      expect(Number(version), key).toBeGreaterThanOrEqual(Math.max(0, ...before))
    }
    for (const [key, [first = 0]] of versions) {
      if (first <= reached)
        expect(
          records.some((record) => record.key === key),
          key,
        ).toBe(true)
    }
    // It goes on from there.
    await store.write('a/0', new Uint8Array(1))
    expect((await store.read('a/0'))?.value.length).toBe(1)
  }
  expect(shorter).toBeGreaterThan(damages / 4)
  expect(keys).toBeGreaterThan(16)
})

async function copyTo(directory: string): Promise<string> {
  await mkdir(directory)
  const file = join(directory, 'micro.store.db')
  // Not the shared memory: it is made anew from the log, as after a loss of power.
  for (const end of ['', '-wal']) await copyFile(place.file + end, file + end)
  return file
}

async function tear(file: string, offset: number): Promise<void> {
  await using handle = await open(`${file}-wal`, 'r+')
  await handle.truncate(offset)
}

async function flip(file: string, offset: number): Promise<void> {
  await using handle = await open(`${file}-wal`, 'r+')
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, offset)
  await handle.write(
    Buffer.of((buffer[0] as number) ^ (1 << Math.floor(Math.random() * 8))),
    0,
    1,
    offset,
  )
}

test('a file that is flipped anywhere gives what was written, or data_loss that names it', async () => {
  await using whole = fileStore({ directory: place.directory })
  for (let round = 0; round < 400; round += 50) {
    await Promise.all(
      Array.from({ length: 50 }, (_, at) => {
        const key = keyOf('a', round + at)
        return whole.write(key, new TextEncoder().encode(key.repeat(100)), {
          metadata: { key: key.repeat(5) },
        })
      }),
    )
  }
  await whole.close()
  const { size } = await stat(place.file)
  let lost = 0
  const damages = Math.max(60, Math.round(3_000 * scale))
  for (let at = 0; at < damages; at++) {
    const directory = join(place.directory, `flip-${at}`)
    await mkdir(directory)
    const file = join(directory, 'micro.store.db')
    await copyFile(place.file, file)
    {
      await using handle = await open(file, 'r+')
      const offset = Math.floor(Math.random() * size)
      const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, offset)
      await handle.write(Buffer.of((buffer[0] as number) ^ 0x10), 0, 1, offset)
    }
    // Whether it is seen when the file is opened or when a record is read.
    await using store = fileStore({ directory, verifyBytes: at % 2 === 0 ? 0 : 2 ** 30 })
    try {
      for await (const { key, metadata } of store.list({ keysOnly: true })) {
        expect(metadata).toEqual({ key: key.repeat(5) })
      }
      for await (const { key, value, metadata } of store.list()) {
        expect(Buffer.from(value).toString()).toBe(key.repeat(100))
        expect(metadata).toEqual({ key: key.repeat(5) })
      }
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error
      // In the header, what the file is may be what has gone.
      expect(['data_loss', 'failed_precondition']).toContain(error.code)
      expect(error.message).toContain(file)
      lost += 1
    }
  }
  expect(lost).toBeGreaterThan(damages / 3)
})

test.each([
  ['empty', new Uint8Array()],
  ['cut to less than a header', new TextEncoder().encode('SQLite format 3\0')],
  ['of something else', new TextEncoder().encode('no database at all, '.repeat(1_000))],
])('a file that is %s is data_loss, and left as it is', async (_what, bytes) => {
  await writeFile(place.file, bytes)
  await using store = fileStore({ directory: place.directory })
  await expect(store.read('a')).rejects.toMatchObject({
    code: 'data_loss',
    detail: expect.stringContaining(place.file),
  })
  expect((await stat(place.file)).size).toBe(bytes.length)
})
