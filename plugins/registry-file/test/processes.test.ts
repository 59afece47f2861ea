import { once } from 'node:events'
import type { Node } from '@micro/core/registry'
import { describe, expect, test } from 'vitest'
import { makeNode } from './make-node.ts'
import { eventsOnly, follow, idsOf, pollingOnly, usePlace } from './support.ts'

const place = usePlace()

describe.each([
  ['file events', eventsOnly],
  ['polling', pollingOnly],
])('by %s', (_name, options) => {
  test('the record of a process that was killed lapses with its ttl', async () => {
    const registry = place.open(options)
    await using watcher = await registry.watch({ service: 'greeter' })
    const child = place.run('register-and-wait.ts', 'crashed', '500')
    await follow(watcher, (nodes) => nodes.has('crashed'))
    child.kill('SIGKILL')
    await once(child, 'exit')
    await follow(watcher, (_nodes, event) => event.type === 'delete' && event.id === 'crashed')
    expect(await registry.list()).toEqual([])
  })

  test('after a burst by three processes, a watcher holds the last state', async () => {
    await using watcher = await place.open(options).watch({ service: 'greeter' })
    const children = ['x', 'y', 'z'].map((prefix) => place.run('churn.ts', prefix, '200'))
    const exits = await Promise.all(children.map((child) => once(child, 'exit')))
    expect(exits.map(([code]) => code)).toEqual([0, 0, 0])
    const present = await place.open().list()
    expect(idsOf(present)).toEqual(
      ['x', 'y', 'z'].flatMap((prefix) => [...left, 'last'].map((end) => `${prefix}-${end}`)),
    )
    await follow(watcher, (nodes) => sorted(nodes.values()) === sorted(present))
  })
})

/** Which of a churning process's nodes its last five rounds leave: those not divisible by three. */
const left = [195, 196, 197, 198, 199].filter((round) => round % 3 !== 0).map((round) => round % 5)

test('a process that has nothing to do but watch ends by itself', async () => {
  const child = place.run('watch-and-return.ts')
  const [code] = await once(child, 'exit')
  expect(code).toBe(0)
  expect(await place.open().list()).toEqual([makeNode('a')])
})

function sorted(nodes: Iterable<Node>): string {
  return JSON.stringify([...nodes].sort((a, b) => (a.id < b.id ? -1 : 1)))
}
