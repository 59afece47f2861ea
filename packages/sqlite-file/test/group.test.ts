import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { MicroError } from '@micro/core/errors'
import { createSqliteFile, type Layout, type SqliteFile, settleFile } from '@micro/sqlite-file'
import { afterEach, beforeEach, expect, test } from 'vitest'

const layout: Layout = {
  applicationId: 7,
  version: 1,
  tables: 'CREATE TABLE numbers (number INTEGER PRIMARY KEY) STRICT;',
}
interface Statements {
  readonly add: StatementSync
  readonly all: StatementSync
}

let directory = ''
let file: SqliteFile<Statements>
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sqlite-file-'))
  file = open()
  await file.open()
})
afterEach(async () => {
  await file.close()
  await rm(directory, { recursive: true, force: true })
})

function open(): SqliteFile<Statements> {
  return createSqliteFile<Statements>({
    settings: settleFile('test', 'test', { directory }, []),
    label: 'test',
    layout,
    prepare: (database) => ({
      add: database.prepare('INSERT INTO numbers VALUES (?)'),
      all: database.prepare('SELECT number FROM numbers ORDER BY number'),
    }),
  })
}
const numbers = (): Promise<unknown[]> =>
  file.read((statements) => statements.all.all().map(({ number }) => number))
const add = (number: number, options = {}): Promise<void> =>
  file.change((statements) => void statements.add.run(number), options)

test('what is asked for in one turn is one transaction', async () => {
  const watcher = new DatabaseSync(join(directory, 'micro.test.db'))
  const version = watcher.prepare('PRAGMA data_version')
  let commits = 0
  let seen = version.get()?.['data_version']
  const unfollow = file.follow(() => {
    const now = version.get()?.['data_version']
    if (now !== seen) commits += 1
    seen = now
  })
  await Promise.all(Array.from({ length: 50 }, (_, at) => add(at)))
  unfollow()
  watcher.close()
  expect(commits).toBe(1)
  expect(await numbers()).toHaveLength(50)
})

test('work that SQLite refuses fails alone, and those beside it succeed', async () => {
  await add(3)
  const results = await Promise.allSettled([1, 2, 3, 4, 5].map((number) => add(number)))
  expect(results.map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
  ])
  expect(results[2]).toMatchObject({ reason: { code: 'data_loss' } })
  expect(await numbers()).toEqual([1, 2, 3, 4, 5])
})

test('work that throws a MicroError has it for itself', async () => {
  const mine = new MicroError('aborted', 'mine')
  const refused = file.change(() => {
    throw mine
  })
  await Promise.all([add(1), expect(refused).rejects.toBe(mine), add(2)])
  expect(await numbers()).toEqual([1, 2])
  expect(file.health()).toEqual({ status: 'up' })
})

test('what is aborted before its turn is not done', async () => {
  const controller = new AbortController()
  const given = add(1, { signal: controller.signal })
  const kept = add(2)
  controller.abort(new Error('mine'))
  await expect(given).rejects.toThrow('mine')
  await kept
  await expect(add(3, { signal: controller.signal })).rejects.toThrow('mine')
  expect(await numbers()).toEqual([2])
})

test('closing does what was asked for before, and refuses what comes after', async () => {
  const asked = [add(1), add(2)]
  await file.close()
  await Promise.all(asked)
  await expect(add(3)).rejects.toMatchObject({ code: 'failed_precondition' })
  await expect(numbers()).rejects.toMatchObject({ code: 'failed_precondition' })
  file = open()
  await file.open()
  expect(await numbers()).toEqual([1, 2])
})

test('much work is done in slices, between which the event loop turns', async () => {
  let turns = 0
  const count = (): void => {
    turns += 1
    timer = setImmediate(count)
  }
  let timer = setImmediate(count)
  await Promise.all(
    Array.from({ length: 20 }, (_, at) =>
      file.change((statements) => {
        statements.add.run(at)
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 6)
      }),
    ),
  )
  clearImmediate(timer)
  expect(turns).toBeGreaterThanOrEqual(9)
})

test('listeners hear of changes in this process, until they stop', async () => {
  const other = open()
  await other.open()
  let heard = 0
  const unfollow = other.follow(() => {
    heard += 1
  })
  await add(1)
  expect(heard).toBe(1)
  unfollow()
  await add(2)
  expect(heard).toBe(1)
  await other.close()
})
