import { readFile, stat } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { makeNode } from './make-node.ts'
import { idsOf, nextOf, usePlace } from './support.ts'

const place = usePlace()

test('two instances on one directory list the same nodes', async () => {
  const one = place.open()
  const two = place.open()
  expect(await two.list()).toEqual([])
  await one.register(makeNode('a'))
  await two.register(makeNode('b'))
  await two.register(makeNode('c', 'other'))
  expect(idsOf(await one.list())).toEqual(['a', 'b', 'c'])
  expect(await one.list({ service: 'other' })).toEqual([makeNode('c', 'other')])
  expect(await one.list({ service: 'unknown' })).toEqual([])
  expect(await one.list({ service: '..' })).toEqual([])

  await one.register({ ...makeNode('b'), weight: 5 })
  await one.deregister({ service: 'greeter', id: 'a' })
  expect(await two.list({ service: 'greeter' })).toEqual([{ ...makeNode('b'), weight: 5 }])
})

test('namespaces do not see each other', async () => {
  await place.open({ namespace: 'blue' }).register(makeNode('a'))
  expect(await place.open({ namespace: 'green' }).list()).toEqual([])
  expect(idsOf(await place.open({ namespace: 'blue' }).list())).toEqual(['a'])
})

test('every field of a node survives', async () => {
  const node = {
    ...makeNode('full'),
    zone: 'z1',
    labels: { tier: 'gold' },
    methods: [{ name: 'hello', kind: 'unary', idempotency: 'idempotent' } as const],
  }
  await place.open().register(node)
  expect(await place.open().list()).toEqual([node])
})

test('the longest names that a node may have fit', async () => {
  const long = 'n'.repeat(255)
  const nodes = [makeNode(long), makeNode(`${long.slice(1)}m`), makeNode('a', long)]
  const registry = place.open()
  for (const node of nodes) await registry.register(node)
  expect(idsOf(await registry.list())).toEqual(idsOf(nodes))
  for (const node of nodes) await registry.deregister(node)
  expect(await registry.list()).toEqual([])
})

test('the file is the record and its expiry, for its user only', async () => {
  await place.open().register(makeNode('a'), { ttl: 5_000 })
  const { expires, ...node } = JSON.parse(await readFile(place.record('a'), 'utf8')) as {
    expires: number
  }
  expect(node).toEqual(makeNode('a'))
  expect(expires - Date.now()).toBeGreaterThan(0)
  expect(expires - Date.now()).toBeLessThanOrEqual(5_000)
  expect((await stat(place.record('a'))).mode & 0o777).toBe(0o600)
  expect((await stat(place.service)).mode & 0o777).toBe(0o700)
})

test('deregistering cannot leave the directory, and an unknown node is no error', async () => {
  const registry = place.open()
  for (const node of [
    { service: '..', id: 'a' },
    { service: 'greeter', id: '../a' },
    { service: 'greeter', id: 'a'.repeat(256) },
  ]) {
    await expect(registry.deregister(node)).rejects.toMatchObject({ code: 'invalid_argument' })
  }
  await registry.deregister({ service: 'greeter', id: 'unknown' })
  await registry.register(makeNode('a'))
  await registry.deregister({ service: 'greeter', id: 'unknown' })
  expect(idsOf(await registry.list())).toEqual(['a'])
})

test.each([
  [{ ...makeNode('a'), id: '../escape' }, 'id must'],
  [{ ...makeNode('a'), id: '.' }, 'id must'],
  [{ ...makeNode('a'), service: '..' }, 'service must'],
  [{ ...makeNode('a'), weight: -1 }, 'weight must'],
  [{ ...makeNode('a'), endpoints: [{}] as never }, 'endpoints must'],
])('refuses a malformed node: %o', async (node, why) => {
  await expect(place.open().register(node)).rejects.toMatchObject({
    code: 'invalid_argument',
    detail: expect.stringContaining(why),
  })
})

test.each([0, -5, Number.NaN, Number.POSITIVE_INFINITY])('refuses a ttl of %s', async (ttl) => {
  await expect(place.open().register(makeNode('a'), { ttl })).rejects.toMatchObject({
    code: 'invalid_argument',
  })
})

test('a record that readers would pass over for its size is refused', async () => {
  const registry = place.open({ maxRecordSize: 2_048 })
  await expect(
    registry.register({ ...makeNode('a'), labels: { text: 'é'.repeat(1_000) } }),
  ).rejects.toMatchObject({
    code: 'invalid_argument',
    detail: expect.stringContaining('maxRecordSize'),
  })
})

test('an aborted signal rejects every method with its reason', async () => {
  const registry = place.open()
  const signal = AbortSignal.abort('enough')
  for (const call of [
    registry.connect({ signal }),
    registry.register(makeNode('a'), { signal }),
    registry.deregister(makeNode('a'), { signal }),
    registry.list({ signal }),
    registry.watch({ signal }),
  ]) {
    await expect(call).rejects.toBe('enough')
  }
})

test('an abort in the middle of a call rejects at once, and leaves nothing running', async () => {
  const registry = place.open()
  await registry.connect()
  for (const call of [
    (signal: AbortSignal) => registry.register(makeNode('a'), { signal }),
    (signal: AbortSignal) => registry.deregister(makeNode('a'), { signal }),
    (signal: AbortSignal) => registry.list({ signal }),
    (signal: AbortSignal) => registry.watch({ signal }),
  ]) {
    const controller = new AbortController()
    const called = call(controller.signal)
    // Past the wait for the connection, which is there, and into the call's own work.
    await microtasks(20)
    controller.abort('changed my mind')
    await expect(called).rejects.toBe('changed my mind')
  }
})

test('an aborted registration does not bring back a node withdrawn right after it', async () => {
  const registry = place.open()
  await registry.connect()
  for (let round = 0; round < 20; round++) {
    const controller = new AbortController()
    const registered = registry.register(makeNode('a'), { signal: controller.signal })
    await microtasks(20)
    controller.abort('stop')
    await expect(registered).rejects.toBe('stop')
    await registry.deregister(makeNode('a'))
    expect(await registry.list()).toEqual([])
  }
  await registry.close()
  expect(await place.open().list()).toEqual([])
})

test('close is idempotent and final, ends watches, and withdraws nothing', async () => {
  const registry = place.open()
  await registry.register(makeNode('a'))
  const watcher = await registry.watch()
  await watcher.next()
  const pending = watcher.next()
  expect(registry.health()).toEqual({ status: 'up' })
  await Promise.all([registry.close(), registry.close()])
  await registry.close()
  expect((await pending).done).toBe(true)
  expect(registry.health()).toEqual({ status: 'down' })
  for (const call of [
    registry.connect(),
    registry.register(makeNode('a')),
    registry.deregister(makeNode('a')),
    registry.list(),
    registry.watch(),
  ]) {
    await expect(call).rejects.toMatchObject({
      code: 'failed_precondition',
      detail: 'registry "file" is closed',
    })
  }
  expect(idsOf(await place.open().list())).toEqual(['a'])
})

test('a watch that is asked for while the registry closes is refused, or ends', async () => {
  for (let turns = 0; turns < 12; turns++) {
    const registry = place.open()
    await registry.connect()
    const watched = registry.watch()
    if (turns > 0) await microtasks(turns)
    await registry.close()
    const [outcome] = await Promise.allSettled([watched])
    if (outcome.status === 'rejected') {
      expect(outcome.reason).toMatchObject({ code: 'failed_precondition' })
      continue
    }
    let last: IteratorResult<unknown> = { done: false, value: undefined }
    while (last.done !== true) last = await outcome.value.next()
  }
})

test('close waits for registrations that have begun', async () => {
  for (let turns = 0; turns < 12; turns++) {
    const registry = place.open()
    await registry.connect()
    let settled = false
    const registered = Promise.allSettled([registry.register(makeNode('a'))]).then(() => {
      settled = true
    })
    await microtasks(turns)
    await registry.close()
    await new Promise((resolve) => setImmediate(resolve))
    expect(settled).toBe(true)
    await registered
  }
})

test('two watchers of one instance each get what they asked for', async () => {
  const registry = place.open()
  await registry.register(makeNode('a'))
  await using all = await registry.watch()
  await using other = await registry.watch({ service: 'other' })
  expect(await nextOf(all)).toEqual({ type: 'reset', nodes: [makeNode('a')] })
  expect(await nextOf(other)).toEqual({ type: 'reset', nodes: [] })
  await registry.register(makeNode('b'))
  await registry.register(makeNode('c', 'other'))
  expect(await nextOf(other)).toEqual({ type: 'put', node: makeNode('c', 'other') })
  expect(await nextOf(all)).toMatchObject({ type: 'put', node: { id: 'b' } })
  await other.return?.()
  // The first goes on when the second has gone.
  await registry.deregister(makeNode('a'))
  expect(await nextOf(all)).toMatchObject({ type: 'put', node: { id: 'c' } })
  expect(await nextOf(all)).toEqual({ type: 'delete', service: 'greeter', id: 'a' })
})

async function microtasks(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await Promise.resolve()
}
