import { MicroError } from '@micro/core'
import {
  createRegistrar,
  memoryRegistry,
  type Node,
  parseNode,
  type Registry,
  type RegistryEvent,
} from '@micro/core/registry'
import { registryRouter } from '@micro/core/router'
import { expect, test } from 'vitest'
import { awake } from './support/services.ts'

const makeNode = (id: string, over: Partial<Node> = {}): Node => ({
  schema: 1,
  id,
  service: 'greeter',
  version: '1.0.0',
  weight: 1,
  labels: {},
  endpoints: [{ transport: 'memory', url: 'memory:', contentTypes: [] }],
  ...over,
})
const ids = (nodes: Iterable<{ node: Node }>) => [...nodes].map(({ node }) => node.id)

/** A registry whose calls can be made to fail. */
function flaky(): Registry & { down: boolean; registrations: number } {
  const inner = memoryRegistry()
  const guard =
    <A extends unknown[], T>(call: (...parameters: A) => Promise<T>) =>
    async (...parameters: A): Promise<T> => {
      if (registry.down) throw new MicroError('unavailable', 'the registry is away')
      return call(...parameters)
    }
  const registry = {
    ...inner,
    down: false,
    registrations: 0,
    register: guard(async (...parameters: Parameters<Registry['register']>) => {
      registry.registrations += 1
      await inner.register(...parameters)
    }),
    watch: guard(inner.watch),
  }
  return registry
}

test('a watch begins with what is there, and tells what comes and goes', async () => {
  await using registry = memoryRegistry()
  await registry.register(makeNode('a'))
  await using watcher = await registry.watch({ service: 'greeter' })
  const next = async () => (await watcher.next()).value as RegistryEvent
  expect(await next()).toMatchObject({ type: 'reset', nodes: [{ id: 'a' }] })
  await registry.register(makeNode('other', { service: 'other' }))
  await registry.register(makeNode('a'))
  await registry.register(makeNode('b'))
  expect(await next()).toMatchObject({ type: 'put', node: { id: 'b' } })
  await registry.deregister(makeNode('a'))
  expect(await next()).toEqual({ type: 'delete', service: 'greeter', id: 'a' })
})

test('a record lapses with its ttl, and is told of', async () => {
  await using registry = memoryRegistry()
  await registry.register(makeNode('a'), { ttl: 30 })
  await using watcher = await registry.watch()
  await watcher.next()
  expect((await awake(() => watcher.next())).value).toMatchObject({ type: 'delete', id: 'a' })
  expect(await registry.list()).toEqual([])
})

test('a reader that lags behind gets the last state, not every step', async () => {
  await using registry = memoryRegistry()
  await using watcher = await registry.watch()
  await watcher.next()
  for (let round = 1; round <= 100; round++)
    await registry.register(makeNode('a', { weight: round }))
  expect((await watcher.next()).value).toMatchObject({ type: 'put', node: { weight: 100 } })
  await registry.register(makeNode('b'))
  await registry.deregister(makeNode('b'))
  expect((await watcher.next()).value).toMatchObject({ type: 'delete', id: 'b' })
})

test('records of other versions are read, broken ones are not', () => {
  const text = JSON.stringify({ ...makeNode('a'), fromTheFuture: { x: 1 } })
  expect(parseNode(text)).toEqual(makeNode('a'))
  for (const bad of [
    '',
    '[]',
    'null',
    '{"schema":2}',
    JSON.stringify({ ...makeNode('a'), labels: { x: 1 } }),
  ]) {
    expect(parseNode(bad)).toBeUndefined()
  }
})

test('the registrar renews, brings back what was lost, and goes on for ever', async () => {
  const registry = flaky()
  const changes: boolean[] = []
  const registrar = createRegistrar({
    registry,
    nodes: [makeNode('a')],
    ttl: 60,
    onChange: ({ registered }) => changes.push(registered),
  })
  await awake(async () => {
    await registrar.start()
    await registry.deregister(makeNode('a'))
    await using watcher = await registry.watch()
    // Deleted behind its back, the node returns with the next renewal.
    while ((await watcher.next()).value?.type !== 'put');
    registry.down = true
    await expect.poll(() => registrar.health().status).toBe('degraded')
    registry.down = false
    await expect.poll(() => registrar.health().status, { timeout: 10_000 }).toBe('up')
    await registrar.stop()
    expect(await registry.list()).toEqual([])
  })
  expect(changes[0]).toBe(true)
  expect(changes.at(-1)).toBe(true)
  expect(changes).toContain(false)
})

test('views follow the registry, filtered by version and labels', async () => {
  await using registry = memoryRegistry()
  await using router = registryRouter({ registry })
  await registry.register(makeNode('a', { version: '1', labels: { tier: 'gold' } }))
  await registry.register(makeNode('b', { version: '2', labels: { tier: 'gold' } }))
  await registry.register(makeNode('c', { version: '2' }))
  const all = router.view({ service: 'greeter' })
  expect(ids((await all.ready()).routes)).toEqual(['a', 'b', 'c'])
  expect(ids((await router.view({ service: 'greeter', version: '2' }).ready()).routes)).toEqual([
    'b',
    'c',
  ])
  const gold = router.view({ service: 'greeter', version: '2', labels: { tier: 'gold' } })
  expect(ids((await gold.ready()).routes)).toEqual(['b'])
  expect(router.view({ service: 'greeter' })).toBe(all)

  const before = all.current
  await registry.deregister(makeNode('a'))
  const after = await all.changed(before)
  expect(ids(after.routes)).toEqual(['b', 'c'])
  // What is known of a node's health stays with it.
  expect(after.routes[0]).toBe(before?.routes[1])
})

test('a service of very many nodes has fewer snapshots than changes, in order, and the last state', async () => {
  await using registry = memoryRegistry()
  const name = (n: number): string => `n${String(n).padStart(4, '0')}`
  for (let n = 0; n < 4_000; n += 2) await registry.register(makeNode(name(n)))
  await using router = registryRouter({ registry })
  const view = router.view({ service: 'greeter' })
  await awake(async () => {
    let snapshot = await view.ready()
    expect(snapshot.routes).toHaveLength(2_000)
    let snapshots = 0
    const changes = (async () => {
      for (let n = 1; n < 1_000; n += 2) {
        await registry.register(makeNode(name(n)))
        await registry.deregister(makeNode(name(n + 1)))
      }
      await registry.register(makeNode(name(0), { version: '2.0.0' }))
      await registry.register(makeNode('last'))
    })()
    while (snapshot.routes.find(({ node }) => node.id === 'last') === undefined) {
      snapshot = await view.changed(snapshot)
      snapshots += 1
    }
    await changes
    const odd = Array.from({ length: 500 }, (_, n) => name(2 * n + 1))
    const even = Array.from({ length: 1_499 }, (_, n) => name(2 * n + 1_002))
    expect(ids(snapshot.routes)).toEqual(['last', name(0), ...odd, ...even].sort())
    expect(snapshot.routes.find(({ node }) => node.id === name(0))?.node.version).toBe('2.0.0')
    expect(snapshots).toBeLessThan(200)
  })
})

test('with the registry away, the last known routes serve, and are said to be old', async () => {
  const registry = flaky()
  await using router = registryRouter({ registry })
  await registry.register(makeNode('a'), { ttl: 60_000 })
  const view = router.view({ service: 'greeter' })
  const first = await view.ready()
  registry.down = true
  const before = await registry.list()
  expect(before).toHaveLength(1)
  // The watch breaks, as it does when a server goes away.
  await registry.close()
  const stale = await view.changed(first)
  expect(ids(stale.routes)).toEqual(['a'])
  expect(stale.stale).toBe(true)
  expect(router.health()).toMatchObject({
    status: 'degraded',
    detail: expect.stringContaining('greeter'),
  })
})

test('a first look that fails is told to those who wait, and made again for those who come later', async () => {
  const registry = flaky()
  registry.down = true
  await using router = registryRouter({ registry })
  const view = router.view({ service: 'greeter' })
  await expect(view.ready()).rejects.toMatchObject({ code: 'unavailable', processed: 'no' })
  registry.down = false
  await registry.register(makeNode('a'))
  const snapshot = await awake(() => view.ready())
  expect(ids(snapshot.routes)).toEqual(['a'])
})

test("one caller's abort ends its wait only", async () => {
  const registry = flaky()
  const gate = Promise.withResolvers<void>()
  const slow: Registry = {
    ...registry,
    async watch(options) {
      await gate.promise
      return registry.watch(options)
    },
  }
  await using router = registryRouter({ registry: slow })
  const view = router.view({ service: 'greeter' })
  const controller = new AbortController()
  const impatient = view.ready({ signal: controller.signal })
  const patient = view.ready()
  controller.abort('enough')
  expect(await impatient.catch((error: unknown) => error)).toBe('enough')
  gate.resolve()
  expect((await patient).routes).toEqual([])
})
