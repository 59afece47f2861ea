import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Node, Registry, RegistryEvent, RegistryWatcher } from '@micro/core/registry'
import { type FileRegistryOptions, fileRegistry } from '@micro/plugin-registry-file'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeNode } from './make-node.ts'

let directory: string
const opened: Registry[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'registry-file-'))
})
afterEach(async () => {
  for (const registry of opened.splice(0)) await registry.close()
  await rm(directory, { recursive: true, force: true })
})

const open = (options: FileRegistryOptions = {}): Registry => {
  const registry = fileRegistry({ directory, ...options })
  opened.push(registry)
  return registry
}
/** Reads events until `enough` says so of what they add up to. */
const follow = async (
  watcher: RegistryWatcher,
  enough: (nodes: Map<string, Node>, event: RegistryEvent) => boolean,
) => {
  const nodes = new Map<string, Node>()
  for (;;) {
    const { value: event, done } = await watcher.next()
    if (done === true) throw new Error('the watch has ended')
    if (event.type === 'reset') {
      nodes.clear()
      for (const node of event.nodes) nodes.set(node.id, node)
    } else if (event.type === 'put') nodes.set(event.node.id, event.node)
    else nodes.delete(event.id)
    if (enough(nodes, event)) return nodes
  }
}
const record = (id: string): string => join(directory, 'micro', 'greeter', `${id}.json`)

describe.each([{}, { useFileEvents: false, pollInterval: 20 }])('with %o', (options) => {
  test('two instances on one directory see each other come, change and go', async () => {
    const one = open(options)
    const two = open(options)
    await one.register(makeNode('a'))
    expect(await two.list({ service: 'greeter' })).toEqual([makeNode('a')])
    expect(await two.list({ service: 'other' })).toEqual([])

    await using watcher = await two.watch({ service: 'greeter' })
    await follow(watcher, (nodes, event) => event.type === 'reset' && nodes.has('a'))
    await one.register(makeNode('b'))
    await follow(watcher, (_nodes, event) => event.type === 'put' && event.node.id === 'b')
    await one.register({ ...makeNode('b'), weight: 5 })
    await follow(watcher, (_nodes, event) => event.type === 'put' && event.node.weight === 5)
    await one.deregister(makeNode('a'))
    await follow(watcher, (_nodes, event) => event.type === 'delete' && event.id === 'a')
    expect((await one.list()).map(({ id }) => id)).toEqual(['b'])
  })

  test('a renewal is no event', async () => {
    const registry = open(options)
    await registry.register(makeNode('a'))
    await using watcher = await registry.watch()
    await watcher.next()
    for (let round = 0; round < 5; round++) await registry.register(makeNode('a'))
    await registry.register(makeNode('b'))
    expect((await watcher.next()).value).toMatchObject({ type: 'put', node: { id: 'b' } })
  })

  test('the record of a process that was killed lapses with its ttl', async () => {
    const script = join(import.meta.dirname, 'register-and-wait.ts')
    const child = spawn(process.execPath, [script, directory, 'crashed', '1500'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      await once(child.stdout, 'data')
      await using watcher = await open(options).watch({ service: 'greeter' })
      await follow(watcher, (nodes) => nodes.has('crashed'))
      child.kill('SIGKILL')
      await follow(watcher, (_nodes, event) => event.type === 'delete' && event.id === 'crashed')
      expect(await open(options).list()).toEqual([])
    } finally {
      child.kill('SIGKILL')
    }
  })

  test('a directory that is removed and made again does not end a watch', async () => {
    const registry = open({ pollInterval: 20, ...options })
    await registry.register(makeNode('a'))
    await using watcher = await registry.watch()
    await follow(watcher, (nodes) => nodes.has('a'))
    await rm(directory, { recursive: true })
    await follow(watcher, (nodes) => nodes.size === 0)
    await registry.register(makeNode('b'))
    await follow(watcher, (nodes) => nodes.has('b'))
  })
})

test('after a burst by three processes, watchers hold the last state', async () => {
  const watching = open()
  await using watcher = await watching.watch({ service: 'greeter' })
  const script = join(import.meta.dirname, 'churn.ts')
  const children = ['x', 'y', 'z'].map((prefix) =>
    spawn(process.execPath, [script, directory, prefix, '200'], { stdio: 'inherit' }),
  )
  const exits = await Promise.all(
    children.map(async (child) => (await once(child, 'exit'))[0] as number),
  )
  expect(exits).toEqual([0, 0, 0])
  const present = await open().list()
  const byId = (nodes: Iterable<Node>) => [...nodes].sort((a, b) => (a.id < b.id ? -1 : 1))
  const seen = await follow(watcher, (nodes) => {
    return JSON.stringify(byId(nodes.values())) === JSON.stringify(byId(present))
  })
  expect(seen.get('x-last')?.weight).toBe(7)
})

test('readers never see a torn record while one is rewritten', async () => {
  const registry = open()
  const long = { ...makeNode('a'), labels: { text: 'x'.repeat(100_000) } }
  await registry.register(long)
  let writing = true
  const writer = (async () => {
    for (let round = 0; round < 100; round++) await registry.register({ ...long, weight: round })
    writing = false
  })()
  while (writing) expect(await registry.list()).toHaveLength(1)
  await writer
})

test('foreign, torn and huge files are passed over, and hide nothing', async () => {
  const registry = open({ maxRecordSize: 2_048 })
  await registry.register(makeNode('good'))
  await writeFile(record('torn'), '{"schema":1,"id":"torn"')
  await writeFile(record('text'), 'hello')
  await writeFile(
    record('old'),
    JSON.stringify({ ...makeNode('old'), schema: 0, expires: Date.now() + 10_000 }),
  )
  await writeFile(
    record('liar'),
    JSON.stringify({ ...makeNode('other'), expires: Date.now() + 10_000 }),
  )
  await writeFile(
    record('huge'),
    JSON.stringify({
      ...makeNode('huge'),
      version: 'v'.repeat(3_000),
      expires: Date.now() + 10_000,
    }),
  )
  await writeFile(record('eternal'), JSON.stringify(makeNode('eternal')))
  await mkdir(record('directory'))
  await writeFile(join(directory, 'micro', 'a file'), 'not a service')
  expect(await registry.list()).toEqual([makeNode('good')])
  // A directory is no record either, whatever its size is said to be.
  expect(await open().list({ service: 'greeter' })).toContainEqual(makeNode('good'))
})

test('leftovers of crashed writers and long-lapsed records are removed, young ones stay', async () => {
  const registry = open()
  await registry.register(makeNode('good'))
  const service = join(directory, 'micro', 'greeter')
  await writeFile(join(service, '.young.tmp'), 'x')
  await writeFile(join(service, '.old.tmp'), 'x')
  const longAgo = new Date(Date.now() - 120_000)
  await utimes(join(service, '.old.tmp'), longAgo, longAgo)
  await writeFile(
    record('lapsed'),
    JSON.stringify({ ...makeNode('lapsed'), expires: Date.now() - 60_000 }),
  )
  await registry.list()
  expect((await readdir(service)).sort()).toEqual(['.young.tmp', 'good.json'])
})

test('the file is the record and its expiry, for its user only', async () => {
  await open().register(makeNode('a'), { ttl: 5_000 })
  const { expires, ...node } = JSON.parse(await readFile(record('a'), 'utf8')) as Node & {
    expires: number
  }
  expect(node).toEqual(makeNode('a'))
  expect(expires - Date.now()).toBeGreaterThan(0)
  expect(expires - Date.now()).toBeLessThanOrEqual(5_000)
})

test.each([
  [{ ...makeNode('a'), id: '../escape' }, 'id must'],
  [{ ...makeNode('a'), service: '..' }, 'service must'],
  [{ ...makeNode('a'), weight: -1 }, 'weight must'],
  [{ ...makeNode('a'), endpoints: [{}] as never }, 'endpoints must'],
])('refuses a malformed node: %o', async (node, why) => {
  await expect(open().register(node)).rejects.toMatchObject({
    code: 'invalid_argument',
    detail: expect.stringContaining(why),
  })
})

test('deregistering cannot leave the directory, and an unknown node is no error', async () => {
  await writeFile(join(directory, 'precious.json'), 'x')
  await expect(open().deregister({ service: '..', id: '../precious' })).rejects.toMatchObject({
    code: 'invalid_argument',
  })
  await open().deregister({ service: 'greeter', id: 'unknown' })
  expect(await readFile(join(directory, 'precious.json'), 'utf8')).toBe('x')
})

test.each([0, -5, Number.NaN, Number.POSITIVE_INFINITY])('refuses a ttl of %s', async (ttl) => {
  await expect(open().register(makeNode('a'), { ttl })).rejects.toMatchObject({
    code: 'invalid_argument',
  })
})

test.each([
  [{ directory: '' }, 'directory'],
  [{ namespace: '../up' }, 'namespace'],
  [{ pollInterval: 1 }, 'pollInterval'],
  [{ maxRecordSize: 1 }, 'maxRecordSize'],
  [{ dir: '/x' }, 'dir'],
])('refuses the options %o', (options, name) => {
  expect(() => fileRegistry(options as FileRegistryOptions)).toThrow(`option ${name}`)
})

test('a file where the directory should be is told with the fix', async () => {
  const file = join(directory, 'a-file')
  await writeFile(file, 'x')
  await expect(open({ directory: file }).list()).rejects.toMatchObject({
    code: 'failed_precondition',
    detail: expect.stringContaining('option directory'),
  })
})

test('an aborted signal rejects every method with its reason', async () => {
  const registry = open()
  const signal = AbortSignal.abort('enough')
  for (const call of [
    registry.connect({ signal }),
    registry.register(makeNode('a'), { signal }),
    registry.deregister(makeNode('a'), { signal }),
    registry.list({ signal }),
    registry.watch({ signal }),
  ]) {
    expect(await call.catch((error: unknown) => error)).toBe('enough')
  }
})

test('close is idempotent and final, and ends watches', async () => {
  const registry = open()
  const watcher = await registry.watch()
  await watcher.next()
  const pending = watcher.next()
  await registry.close()
  await registry.close()
  expect((await pending).done).toBe(true)
  await expect(registry.list()).rejects.toMatchObject({
    code: 'failed_precondition',
    detail: 'registry "file" is closed',
  })
})
