import { chmod, mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type FileRegistryOptions, fileRegistry } from '@micro/plugin-registry-file'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeNode } from './make-node.ts'
import { idsOf, usePlace } from './support.ts'

const place = usePlace()

test.each<[object, string]>([
  [{ directory: '' }, 'directory'],
  [{ directory: 5 }, 'directory'],
  [{ namespace: '../up' }, 'namespace'],
  [{ namespace: '' }, 'namespace'],
  [{ namespace: 'n'.repeat(256) }, 'namespace'],
  [{ pollInterval: 1 }, 'pollInterval'],
  [{ pollInterval: Number.NaN }, 'pollInterval'],
  [{ pollInterval: '1000' }, 'pollInterval'],
  [{ useFileEvents: 'no' }, 'useFileEvents'],
  [{ maxRecordSize: 1 }, 'maxRecordSize'],
  [{ dir: '/x' }, 'dir'],
])('refuses the options %o', (options, name) => {
  expect(() => fileRegistry(options as FileRegistryOptions)).toThrow(
    expect.objectContaining({
      code: 'invalid_argument',
      detail: expect.stringContaining(`option ${name} `),
    }),
  )
})

test('making a registry touches no file, connecting does', async () => {
  const directory = join(place.directory, 'deep', 'down')
  const registry = place.open({ directory })
  await expect(stat(directory)).rejects.toMatchObject({ code: 'ENOENT' })
  await Promise.all([registry.connect(), registry.connect()])
  await registry.connect()
  expect((await stat(directory)).mode & 0o777).toBe(0o700)
})

test('a file where the directory should be is told with the fix, and can be mended', async () => {
  const { directory } = place
  await writeFile(join(directory, 'a-file'), 'x')
  for (const path of ['a-file', 'a-file/below']) {
    await expect(place.open({ directory: join(directory, path) }).list()).rejects.toMatchObject({
      code: 'failed_precondition',
      detail: expect.stringMatching(/a-file.*option directory/),
    })
  }
  // The same for a service, once connected.
  const registry = place.open()
  await registry.connect()
  await writeFile(place.service, 'x')
  await expect(registry.register(makeNode('a'))).rejects.toMatchObject({
    code: 'failed_precondition',
    detail: expect.stringContaining(place.service),
  })
  await registry.register(makeNode('a', 'other'))
  expect(idsOf(await registry.list())).toEqual(['a'])
})

describe('the default directory', () => {
  const before = process.env['TMPDIR']
  beforeEach(() => {
    process.env['TMPDIR'] = place.directory
  })
  afterEach(() => {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
  })
  const ownDirectory = (): string => join(place.directory, `micro-${process.geteuid?.()}`)

  test('is shared by the processes of one user, and closed to others', async () => {
    await using one = fileRegistry()
    await using two = fileRegistry({})
    await one.register(makeNode('a'))
    expect(idsOf(await two.list())).toEqual(['a'])
    expect((await stat(ownDirectory())).mode & 0o777).toBe(0o700)
    await stat(join(ownDirectory(), 'registry', 'micro', 'greeter', 'a.json'))
  })

  test('is refused where others may write to it', async () => {
    await mkdir(ownDirectory())
    await chmod(ownDirectory(), 0o777)
    await using registry = fileRegistry()
    await expect(registry.list()).rejects.toMatchObject({
      code: 'permission_denied',
      detail: expect.stringContaining(ownDirectory()),
    })
    await chmod(ownDirectory(), 0o700)
    expect(await registry.list()).toEqual([])
  })
})
