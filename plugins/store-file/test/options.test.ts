import { readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type FileStoreOptions, fileStore } from '@micro/plugin-store-file'
import { expect, test } from 'vitest'
import { bytesOf, textAt, usePlace } from './support.ts'

const place = usePlace()

test.each<[object, string]>([
  [{}, 'directory'],
  [{ directory: '' }, 'directory'],
  [{ directory: 5 }, 'directory'],
  [{ directory: 'a\0b' }, 'directory'],
  [{ directory: 'x', namespace: '../up' }, 'namespace'],
  [{ directory: 'x', namespace: 'n'.repeat(129) }, 'namespace'],
  [{ directory: 'x', durability: 'off' }, 'durability'],
  [{ directory: 'x', busyTimeout: -1 }, 'busyTimeout'],
  [{ directory: 'x', pollInterval: 0 }, 'pollInterval'],
  [{ directory: 'x', checkpointBytes: 1 }, 'checkpointBytes'],
  [{ directory: 'x', verifyBytes: Number.NaN }, 'verifyBytes'],
  [{ directory: 'x', maxValueSize: 0 }, 'maxValueSize'],
  [{ directory: 'x', maxFileSize: 1 }, 'maxFileSize'],
  [{ directory: 'x', maxChanges: 0 }, 'maxChanges'],
  [{ directory: 'x', sweepInterval: 1 }, 'sweepInterval'],
  [{ directory: 'x', path: 'y' }, 'path'],
])('refuses the options %o', (options, name) => {
  expect(() => fileStore(options as FileStoreOptions)).toThrow(
    expect.objectContaining({
      code: 'invalid_argument',
      detail: expect.stringContaining(`fileStore option ${name} `),
    }),
  )
})

test('making a store touches no file; connecting makes one for its user only', async () => {
  const directory = join(place.directory, 'deep', 'down')
  const store = place.open({ directory })
  await expect(stat(directory)).rejects.toMatchObject({ code: 'ENOENT' })
  await store.write('a', bytesOf('1'))
  expect((await stat(directory)).mode & 0o777).toBe(0o700)
  const files = await readdir(directory)
  expect(files.sort()).toEqual(['micro.store.db', 'micro.store.db-shm', 'micro.store.db-wal'])
  for (const file of files) expect((await stat(join(directory, file))).mode & 0o777).toBe(0o600)
  await store.close()
  // The last one to close takes the log over into the file.
  expect(await readdir(directory)).toEqual(['micro.store.db'])
})

test('many that open a new directory at once share one file', async () => {
  const stores = Array.from({ length: 8 }, () => place.open())
  await Promise.all(stores.map((store, at) => store.write(`k${at}`, bytesOf('1'))))
  const [first] = stores
  expect(first === undefined ? 0 : (await Array.fromAsync(first.list())).length).toBe(8)
})

test('namespaces do not see each other', async () => {
  await place.open({ namespace: 'one' }).write('a', bytesOf('1'))
  expect(await place.open({ namespace: 'two' }).read('a')).toBeUndefined()
  expect(await textAt(place.open({ namespace: 'one' }), 'a')).toBe('1')
})

test('a file in the way of the directory is told, and can be mended', async () => {
  await writeFile(join(place.directory, 'a-file'), 'x')
  const store = place.open({ directory: join(place.directory, 'a-file') })
  await expect(store.read('a')).rejects.toMatchObject({
    code: 'failed_precondition',
    detail: expect.stringContaining('a-file'),
  })
})

test('a directory that is closed to this user is permission_denied', async () => {
  await place.open().write('a', bytesOf('1'))
  await place.unprivileged(async () => {
    await expect(fileStore({ directory: '/root/closed' }).connect()).rejects.toMatchObject({
      code: 'permission_denied',
    })
  })
})

test.each([
  ['of another program', 'PRAGMA user_version = 1', 'something else'],
  ['of a newer version', `PRAGMA application_id = ${0x6d637374}; PRAGMA user_version = 9`, '9'],
])('a database %s is refused and left alone', async (_what, sql, said) => {
  const database = new DatabaseSync(place.file)
  database.exec(`CREATE TABLE mine (a); ${sql}`)
  database.close()
  await expect(place.open().read('a')).rejects.toMatchObject({
    code: 'failed_precondition',
    detail: expect.stringMatching(new RegExp(`${place.file}.*${said}`)),
  })
})

test('a value above maxValueSize is refused before it is written', async () => {
  const store = place.open({ maxValueSize: 10 })
  await store.write('a', new Uint8Array(10))
  await expect(store.write('a', new Uint8Array(11))).rejects.toMatchObject({
    code: 'resource_exhausted',
    detail: expect.stringContaining('maxValueSize'),
  })
})

test('what was written to a Buffer afterwards is not in the store', async () => {
  const store = place.open()
  const mine = Buffer.from('abc')
  const writing = store.write('a', mine)
  mine.fill(0)
  await writing
  expect(await textAt(store, 'a')).toBe('abc')
})
