import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { chmod, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { makeNode } from './make-node.ts'
import {
  eventsOnly,
  follow,
  idsOf,
  neither,
  nextOf,
  pollingOnly,
  recordOf,
  usePlace,
} from './support.ts'

const place = usePlace()

describe.each([
  ['file events', eventsOnly],
  ['polling', pollingOnly],
])('by %s', (_name, options) => {
  test('a watch tells of what others put, change and delete', async () => {
    const one = place.open(options)
    await using watcher = await place.open(options).watch({ service: 'greeter' })
    expect(await nextOf(watcher)).toEqual({ type: 'reset', nodes: [] })
    // The first node of a service makes its directory, which must be followed from then on.
    await one.register(makeNode('a'))
    expect(await nextOf(watcher)).toEqual({ type: 'put', node: makeNode('a') })
    await one.register(makeNode('other', 'other'))
    await one.register({ ...makeNode('a'), weight: 5 })
    expect(await nextOf(watcher)).toEqual({ type: 'put', node: { ...makeNode('a'), weight: 5 } })
    await one.deregister(makeNode('a'))
    expect(await nextOf(watcher)).toEqual({ type: 'delete', service: 'greeter', id: 'a' })
  })

  test('a renewal is no event', async () => {
    const one = place.open(options)
    await one.register(makeNode('a'))
    await using watcher = await place.open(options).watch()
    await nextOf(watcher)
    for (let round = 1; round <= 5; round++) {
      await one.register(makeNode('a'))
      const marker = makeNode(`marker-${round}`)
      await one.register(marker)
      // The renewal came before the marker, so it would be told of before it.
      expect(await nextOf(watcher)).toEqual({ type: 'put', node: marker })
    }
  })

  test('a service whose directory is removed and made again is followed on', async () => {
    const one = place.open(options)
    await one.register(makeNode('a'))
    await using watcher = await place.open(options).watch()
    await follow(watcher, (nodes) => nodes.has('a'))
    await rm(place.service, { recursive: true })
    expect(await nextOf(watcher)).toMatchObject({ type: 'delete', id: 'a' })
    for (const id of ['b', 'c']) {
      await one.register(makeNode(id))
      expect(await nextOf(watcher)).toMatchObject({ type: 'put', node: { id } })
    }
    // All at once, so that no look comes between.
    rmSync(place.service, { recursive: true })
    mkdirSync(place.service)
    writeFileSync(place.record('d'), recordOf(makeNode('d'), 10_000))
    await follow(watcher, (_nodes, event) => event.type === 'put' && event.node.id === 'd')
    await one.register(makeNode('e'))
    expect(await nextOf(watcher)).toMatchObject({ type: 'put', node: { id: 'e' } })
  })
})

test('file events are heard again after the whole directory was removed and made again', async () => {
  const pollInterval = 500
  const one = place.open()
  await one.register(makeNode('a'))
  await using watcher = await place.open({ pollInterval }).watch()
  await follow(watcher, (nodes) => nodes.has('a'))
  await rm(place.directory, { recursive: true })
  expect(await nextOf(watcher)).toMatchObject({ type: 'delete', id: 'a' })
  await one.register(makeNode('b'))
  // A poll finds what lies where no directory was.
  expect(await nextOf(watcher)).toMatchObject({ type: 'put', node: { id: 'b' } })

  // From here on polls alone would take one interval for each of these.
  const started = performance.now()
  for (const id of ['c', 'd', 'e', 'f', 'g', 'h']) {
    await one.register(makeNode(id))
    expect(await nextOf(watcher)).toMatchObject({ type: 'put', node: { id } })
  }
  expect(performance.now() - started).toBeLessThan(pollInterval * 3)
})

test('a record lapses at its time, by a timer of its own', async () => {
  const registry = place.open(neither)
  await registry.register(makeNode('a'), { ttl: 60_000 })
  const registered = Date.now()
  await registry.register(makeNode('b'), { ttl: 300 })
  await using watcher = await registry.watch()
  await follow(watcher, (nodes) => nodes.size === 2)
  expect(await nextOf(watcher)).toEqual({ type: 'delete', service: 'greeter', id: 'b' })
  expect(Date.now() - registered).toBeGreaterThanOrEqual(300)
  expect(await registry.list()).toEqual([makeNode('a')])
})

test('a node that is renewed is not told of as lapsed, although no one told of the renewals', async () => {
  const one = place.open()
  const ttl = 400
  await one.register(makeNode('a'), { ttl })
  await using watcher = await place.open(neither).watch()
  await nextOf(watcher)
  const lapsed = nextOf(watcher).then(() => Date.now())
  let renewed = Date.now()
  let late = false
  for (let round = 0; round < 25; round++) {
    await new Promise((resolve) => setTimeout(resolve, ttl / 10))
    const started = Date.now()
    await one.register(makeNode('a'), { ttl })
    // Had the machine stood still for that long, the lapse would have been real.
    late ||= Date.now() - renewed >= ttl
    renewed = started
  }
  const at = await lapsed
  expect(late || at - renewed >= ttl).toBe(true)
})

test('while the directory cannot be read, what was known stays and health says why', async () => {
  const registry = place.open(pollingOnly)
  const ttl = 300
  await registry.register(makeNode('a'), { ttl })
  const lapse = Date.now() + ttl
  await using watcher = await registry.watch()
  await nextOf(watcher)
  const root = join(place.directory, 'micro')
  await rename(root, `${root}-aside`)
  await writeFile(root, 'in the way')
  await expect.poll(() => registry.health().status).toBe('degraded')
  expect(registry.health().detail).toContain(root)
  await expect(registry.list()).rejects.toMatchObject({ code: 'failed_precondition' })
  await expect(registry.watch()).rejects.toMatchObject({ code: 'failed_precondition' })
  // No one can renew meanwhile, so a lapse would prove nothing.
  await expect.poll(() => Date.now() - lapse).toBeGreaterThan(100)

  for (const id of ['a', 'b']) {
    const path = join(`${root}-aside`, 'greeter', `${id}.json`)
    await writeFile(path, recordOf(makeNode(id), 10_000))
  }
  await rm(root)
  await rename(`${root}-aside`, root)
  // The node that was there before and after is not mentioned.
  expect(await nextOf(watcher)).toEqual({ type: 'put', node: makeNode('b') })
  expect(registry.health()).toEqual({ status: 'up' })
})

test('one service or record that cannot be read hides no other, and is kept as it was', async () => {
  const one = place.open()
  await one.register(makeNode('a'))
  await one.register(makeNode('c', 'closed'))
  const closed = join(place.directory, 'micro', 'closed')
  await place.unprivileged(async () => {
    const registry = place.open(pollingOnly)
    await using watcher = await registry.watch()
    await follow(watcher, (nodes) => nodes.size === 2)

    await chmod(closed, 0)
    await expect.poll(() => registry.health().status).toBe('degraded')
    expect(registry.health().detail).toContain(`${closed}: EACCES`)
    await registry.register(makeNode('b'))
    expect(await nextOf(watcher)).toMatchObject({ type: 'put', node: { id: 'b' } })
    expect(idsOf(await registry.list())).toEqual(['a', 'b'])
    await expect(registry.list({ service: 'closed' })).rejects.toMatchObject({
      code: 'permission_denied',
      detail: expect.stringContaining('option directory'),
    })
    await chmod(closed, 0o700)
    await expect.poll(() => registry.health().status).toBe('up')

    await writeFile(join(place.directory, 'unreadable'), 'x', { mode: 0 })
    await rename(join(place.directory, 'unreadable'), place.record('a'))
    await expect.poll(() => registry.health().status).toBe('degraded')
    expect(registry.health().detail).toContain(`${place.record('a')}: EACCES`)
    await registry.deregister(makeNode('b'))
    // All this time nothing was said of a and c.
    expect(await nextOf(watcher)).toMatchObject({ type: 'delete', id: 'b' })
  })
})

test('a directory that may not be written to refuses registrations and can still be read', async () => {
  await place.open().register(makeNode('a'))
  await writeFile(place.record('lapsed'), recordOf(makeNode('lapsed'), -60_000))
  await place.unprivileged(async () => {
    const registry = place.open()
    await registry.connect()
    await chmod(place.service, 0o500)
    await expect(registry.register(makeNode('b'))).rejects.toMatchObject({
      code: 'permission_denied',
      detail: expect.stringContaining(place.service),
    })
    expect(idsOf(await registry.list())).toEqual(['a'])
    expect(registry.health()).toEqual({ status: 'up' })
    await chmod(place.service, 0o700)
  })
})
