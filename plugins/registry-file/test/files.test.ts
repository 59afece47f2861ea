import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeNode } from './make-node.ts'
import { idsOf, nextOf, pollingOnly, recordOf, usePlace } from './support.ts'

// In memory, where there is such a place: its file system is the one that can lose names.
const place = usePlace(existsSync('/dev/shm') ? '/dev/shm' : undefined)
const temporary = (digit: string): string =>
  `.micro-${digit.repeat(8)}-0000-4000-8000-${digit.repeat(12)}.tmp`
const age = async (path: string): Promise<void> => {
  const longAgo = new Date(Date.now() - 120_000)
  await utimes(path, longAgo, longAgo)
}

test('foreign, torn and huge files are passed over, and hide nothing', async () => {
  const registry = place.open({ maxRecordSize: 2_048 })
  await registry.register(makeNode('good'))
  const good = makeNode('other')
  const files: Record<string, string> = {
    torn: recordOf(makeNode('torn'), 10_000).slice(0, -20),
    empty: '',
    text: 'hello',
    array: '[]',
    null: 'null',
    zeros: '\0'.repeat(500),
    'of-another-schema': JSON.stringify({ ...good, schema: 2, expires: Date.now() + 10_000 }),
    'of-another-id': recordOf(makeNode('other'), 10_000),
    'of-another-service': recordOf(makeNode('of-another-service', 'other'), 10_000),
    huge: recordOf({ ...makeNode('huge'), version: 'v'.repeat(3_000) }, 10_000),
    'without-expiry': JSON.stringify(makeNode('without-expiry')),
    'never-lapsing': `${recordOf(makeNode('never-lapsing'), 0).slice(0, -14)}1e999}`,
    'not a name': recordOf(makeNode('a'), 10_000),
  }
  for (const [name, text] of Object.entries(files)) await writeFile(place.record(name), text)
  await mkdir(place.record('directory'))
  await symlink(place.record('loop'), place.record('loop'))
  await writeFile(join(place.directory, 'elsewhere'), recordOf(makeNode('linked'), 10_000))
  await symlink(join(place.directory, 'elsewhere'), place.record('linked'))
  await writeFile(join(place.directory, 'micro', 'a file'), 'not a service')
  await mkdir(join(place.directory, 'micro', '.hidden'))

  expect(JSON.parse(files['never-lapsing'] ?? '')).toMatchObject({
    expires: Number.POSITIVE_INFINITY,
  })
  expect(await registry.list()).toEqual([makeNode('good')])
  await using watcher = await registry.watch()
  expect(await nextOf(watcher)).toEqual({ type: 'reset', nodes: [makeNode('good')] })
  expect(registry.health()).toEqual({ status: 'up' })
  // Where only the size was wrong, a larger limit reads it.
  expect(idsOf(await place.open().list())).toEqual(['good', 'huge'])
})

test('a file that turns from garbage to a record and back is told of', async () => {
  const registry = place.open(pollingOnly)
  await registry.register(makeNode('good'))
  await writeFile(place.record('a'), 'garbage')
  await using watcher = await registry.watch()
  expect(await nextOf(watcher)).toEqual({ type: 'reset', nodes: [makeNode('good')] })
  await writeFile(place.record('a'), recordOf(makeNode('a'), 10_000))
  expect(await nextOf(watcher)).toEqual({ type: 'put', node: makeNode('a') })
  await writeFile(place.record('a'), 'garbage')
  expect(await nextOf(watcher)).toEqual({ type: 'delete', service: 'greeter', id: 'a' })
})

test('what crashed processes left is removed in time, and nothing of anyone else', async () => {
  const registry = place.open()
  await registry.register(makeNode('good'))
  const old = [temporary('1'), '.hidden', 'notes.txt', 'torn.json']
  for (const name of [...old, temporary('2')]) {
    await writeFile(join(place.service, name), 'x')
    if (name !== temporary('2')) await age(join(place.service, name))
  }
  await mkdir(join(place.service, '.folder'))
  await age(join(place.service, '.folder'))
  await writeFile(place.record('just-lapsed'), recordOf(makeNode('just-lapsed'), -1_000))
  await writeFile(place.record('long-lapsed'), recordOf(makeNode('long-lapsed'), -60_000))
  expect(await registry.list()).toEqual([makeNode('good')])
  expect((await readdir(place.service)).sort()).toEqual(
    [
      '.folder',
      '.hidden',
      temporary('2'),
      'good.json',
      'just-lapsed.json',
      'notes.txt',
      'torn.json',
    ].sort(),
  )
})

test('a lapsed record that is renewed while others remove it is never lost', async () => {
  const owner = place.open()
  const cleaners = [place.open(), place.open(), place.open()]
  await owner.register(makeNode('a'))
  for (let round = 0; round < 240; round++) {
    await writeFile(place.record('a'), recordOf(makeNode('a'), -60_000))
    await Promise.all([
      ...cleaners.map((cleaner) => cleaner.list()),
      // At another moment of the others' work in every round.
      turns(round % 15).then(() => owner.register({ ...makeNode('a'), weight: round })),
    ])
    expect(await owner.list()).toMatchObject([{ weight: round }])
  }
  expect(await readdir(place.service)).toEqual(['a.json'])
})

test('readers never see a torn record while two instances rewrite it', async () => {
  const reader = place.open()
  const labels = { text: 'x'.repeat(100_000) }
  await reader.register({ ...makeNode('a'), labels })
  let writing = 2
  const write = async (weight: number): Promise<void> => {
    const writer = place.open()
    for (let round = 0; round < 100; round++) {
      await writer.register({ ...makeNode('a'), weight: weight + round, labels })
    }
    writing -= 1
  }
  const writers = Promise.all([write(0), write(1_000)])
  let looks = 0
  for (; writing > 0; looks++) expect(await reader.list()).toMatchObject([{ labels }])
  await writers
  expect(looks).toBeGreaterThan(10)
  expect(await readdir(place.service)).toEqual(['a.json'])
})

test('in a large directory that is renewed all the time no node is missed', {
  timeout: 20_000,
}, async () => {
  const count = 1_500
  const child = place.run('renew-all.ts', String(count))
  if (child.stdout === null) throw new Error('no output')
  await once(child.stdout, 'data')
  await using watcher = await place.open({ ...pollingOnly, pollInterval: 150 }).watch()
  expect(await nextOf(watcher)).toMatchObject({ nodes: { length: count } })
  const next = nextOf(watcher)
  for (let look = 0; look < 4; look++) expect(await place.open().list()).toHaveLength(count)
  // Not one of them was said to be gone meanwhile.
  await place.open().register(makeNode('last'))
  expect(await next).toMatchObject({ type: 'put', node: { id: 'last' } })
})

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}
