import { execFile } from 'node:child_process'
import { mkdir, rmdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { eventually } from '@micro/conformance/kit'
import type { Store } from '@micro/core/store'
import { fileStore } from '@micro/plugin-store-file'
import { afterAll, describe, expect, test } from 'vitest'
import { bytesOf, keysOf, nextOf, textAt, usePlace, watch } from './support.ts'

const place = usePlace()
const run = promisify(execFile)

/** A file system of two megabytes, where this user may make one. */
const small = `/tmp/store-file-small-${process.pid}`
const mounted = await mountSmall()
afterAll(async () => {
  if (!mounted) return
  await run('umount', [small])
  await rmdir(small)
})

async function mountSmall(): Promise<boolean> {
  if (process.platform !== 'linux' || process.geteuid?.() !== 0) return false
  await mkdir(small, { recursive: true })
  return await run('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', small]).then(
    () => true,
    () => false,
  )
}

/** Writes until it is refused, and returns how many fitted. */
async function fill(store: Store): Promise<number> {
  for (let at = 0; at < 10_000; at++) {
    try {
      await store.write(`k${String(at).padStart(4, '0')}`, new Uint8Array(10_000).fill(at % 256))
    } catch (error) {
      expect(error).toMatchObject({
        code: 'resource_exhausted',
        detail: expect.stringMatching(/store\.db.*free some space/),
      })
      return at
    }
  }
  throw new Error('it never fills')
}

async function expectFirst(store: Store, count: number): Promise<void> {
  const records = await Array.fromAsync(store.list({ prefix: 'k' }))
  expect(records.length).toBe(count)
  for (const [at, { value }] of records.entries()) {
    expect(value.length).toBe(10_000)
    expect(new Set(value)).toEqual(new Set([at % 256]))
  }
}

describe('where there is no room', () => {
  test.skipIf(!mounted)(
    'a full disk is resource_exhausted, and what was written is readable',
    async () => {
      const ballast = join(small, 'ballast')
      await using store = fileStore({ directory: join(small, 'data'), checkpointBytes: 262_144 })
      await store.connect()
      await run('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=1024', 'count=512'])
      const count = await fill(store)
      expect(count).toBeGreaterThan(5)
      await expectFirst(store, count)
      expect(store.health()).toMatchObject({ status: 'degraded' })
      // One that opens it now reads it too.
      await using other = fileStore({ directory: join(small, 'data') })
      await expectFirst(other, count)
      await run('rm', [ballast])
      await store.write('later', bytesOf('1'))
      expect(store.health()).toEqual({ status: 'up' })
      await expectFirst(store, count)
      expect(await textAt(other, 'later')).toBe('1')
    },
  )

  test('maxFileSize is kept; small writes in the same transaction do not suffer', async () => {
    const store = place.open({ maxFileSize: 1_000_000 })
    const count = await fill(store)
    expect(count).toBeGreaterThan(50)
    await expectFirst(store, count)
    const results = await Promise.allSettled([
      store.write('k0000', bytesOf('1')),
      store.write('big', new Uint8Array(500_000)),
      store.write('k0001', bytesOf('2')),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(await textAt(store, 'k0001')).toBe('2')
    expect(await store.read('big')).toBeUndefined()
    for (let at = 0; at < 20; at++) await store.delete(`k${String(at).padStart(4, '0')}`)
    await store.write('again', new Uint8Array(100_000))
  })
})

test('the log stays small, and the file shrinks after much was deleted', async () => {
  const store = place.open({ checkpointBytes: 262_144 })
  const log = `${place.file}-wal`
  for (let round = 0; round < 20; round++) {
    await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        store.write(`k${round}/${at}`, new Uint8Array(50_000).fill(round)),
      ),
    )
  }
  const full = (await stat(place.file)).size
  expect(full).toBeGreaterThan(10_000_000)
  const keys = await keysOf(store)
  await Promise.all(keys.slice(1).map((key) => store.delete(key)))
  await eventually(async () => {
    expect((await stat(place.file)).size).toBeLessThan(full / 4)
    expect((await stat(log)).size).toBeLessThan(2_000_000)
  }, 10_000)
  expect((await store.read(keys[0] as string))?.value.length).toBe(50_000)
})

test('without writes the log is taken over soon, so that the file alone is whole', async () => {
  const store = place.open()
  await store.write('a', bytesOf('1'))
  expect((await stat(`${place.file}-wal`)).size).toBeGreaterThan(0)
  await eventually(async () => expect((await stat(`${place.file}-wal`)).size).toBe(0), 10_000)
  expect(await textAt(store, 'a')).toBe('1')
})

test('a watch that falls behind what is kept of changes is told to list anew', async () => {
  const store = place.open({ maxChanges: 10 })
  await using watcher = await watch(store, 'k')
  await Promise.all(Array.from({ length: 500 }, (_, at) => store.write(`k${at}`, bytesOf('1'))))
  expect(await nextOf(watcher)).toEqual({ type: 'reset' })
  await store.write('k-last', bytesOf('1'))
  let event = await nextOf(watcher)
  while (event.type !== 'put' || event.record.key !== 'k-last') event = await nextOf(watcher)
  const database = new DatabaseSync(place.file)
  const row = database.prepare('SELECT count(*) AS count FROM changes').get()
  database.close()
  expect(row?.['count']).toBeLessThan(10 + 64 + 1)
})

test('versions go on where they were, after the file was closed and its changes were trimmed', async () => {
  const first = place.open({ maxChanges: 1 })
  for (let at = 0; at < 200; at++) await first.write('a', bytesOf('1'))
  const version = await first.write('a', bytesOf('2'))
  await first.delete('a')
  await first.close()
  const again = await place.open({ maxChanges: 1 }).write('a', bytesOf('3'))
  expect(Number(again)).toBeGreaterThan(Number(version))
})

test('a record whose bytes have changed is data_loss by its key; a watch is told to list', async () => {
  const store = place.open()
  await store.write('a', bytesOf('good'))
  await store.write('b', bytesOf('fine'))
  await using watcher = await watch(store)
  const database = new DatabaseSync(place.file)
  database.exec(`UPDATE records SET value = x'00' WHERE key = 'a';
    INSERT INTO changes SELECT max(number) + 1, 'a' FROM changes`)
  database.close()
  const lost = { code: 'data_loss', detail: expect.stringMatching(/store\.db.*"a"/) }
  await expect(store.read('a')).rejects.toMatchObject(lost)
  expect(store.health()).toMatchObject({ status: 'degraded' })
  await expect(Array.fromAsync(store.list())).rejects.toMatchObject(lost)
  expect(await nextOf(watcher)).toEqual({ type: 'reset' })
  expect(await textAt(store, 'b')).toBe('fine')
})

test('a listing of large values is read in small pages, and the event loop turns between', async () => {
  const store = place.open()
  for (let at = 0; at < 10; at++) await store.write(`k${at}`, new Uint8Array(300_000))
  let turns = 0
  const count = (): void => {
    turns += 1
    timer = setImmediate(count)
  }
  let timer = setImmediate(count)
  const records = await Array.fromAsync(store.list())
  clearImmediate(timer)
  expect(records.length).toBe(10)
  expect(turns).toBeGreaterThanOrEqual(9)
})
