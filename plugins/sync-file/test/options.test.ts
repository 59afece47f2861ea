import { readdir } from 'node:fs/promises'
import { type FileSyncOptions, fileSync } from '@micro/plugin-sync-file'
import { expect, test } from 'vitest'
import { usePlace } from './support.ts'

const place = usePlace()

test.each<[object, string]>([
  [{}, 'directory'],
  [{ directory: 'x', namespace: '/' }, 'namespace'],
  [{ directory: 'x', durability: 1 }, 'durability'],
  [{ directory: 'x', busyTimeout: '5' }, 'busyTimeout'],
  [{ directory: 'x', pollInterval: Number.POSITIVE_INFINITY }, 'pollInterval'],
  [{ directory: 'x', sweepInterval: 10 }, 'sweepInterval'],
])('refuses the options %o', (options, name) => {
  expect(() => fileSync(options as FileSyncOptions)).toThrow(
    expect.objectContaining({
      code: 'invalid_argument',
      detail: expect.stringContaining(`fileSync option ${name} `),
    }),
  )
})

test('making a sync and naming an election touch no file', async () => {
  place.open().leader('a')
  expect(await readdir(place.directory)).toEqual([])
})
