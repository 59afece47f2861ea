import type { Route, Snapshot } from '@micro/core/router'
import { randomSelector } from '@micro/core/selector'
import { describe, expect, test } from 'vitest'

const routeOf = (id: string, weight = 1): Route => ({
  ejected: false,
  node: { schema: 1, id, service: 's', version: '1', weight, labels: {}, endpoints: [] },
})
const snapshotOf = (routes: readonly Route[]): Snapshot => ({ routes, stale: false })
const nodes = (count: number): Route[] =>
  Array.from({ length: count }, (_, at) => routeOf(`node-${at}`))
const keys = Array.from({ length: 20_000 }, (_, at) => `key-${at}`)
const selector = randomSelector()

const placement = (routes: readonly Route[], previous?: ReturnType<typeof selector.prepare>) => {
  const picker = selector.prepare(snapshotOf(routes), previous)
  return { picker, ids: keys.map((key) => picker.pick({ key })?.node.id) }
}

/** The documented hash once more, in arithmetic that cannot overflow. */
const reference = {
  low: (value: bigint): bigint => value & 0xffff_ffffn,
  mix(value: bigint): bigint {
    let hash = value ^ (value >> 16n)
    hash = reference.low(hash * 0x85ebca6bn)
    hash ^= hash >> 13n
    hash = reference.low(hash * 0xc2b2ae35n)
    return hash ^ (hash >> 16n)
  },
  hash(text: string): bigint {
    let hash = 0x811c9dc5n
    for (let at = 0; at < text.length; at++) {
      const unit = BigInt(text.charCodeAt(at))
      hash = reference.low((hash ^ (unit & 0xffn)) * 0x01000193n)
      if (unit > 0xffn) hash = reference.low((hash ^ (unit >> 8n)) * 0x01000193n)
    }
    return reference.mix(hash)
  },
}

describe('without a key', () => {
  test('100,000 picks among 10 nodes deviate by less than 5 % from even', () => {
    const picker = selector.prepare(snapshotOf(nodes(10)))
    const counts = new Map<string, number>()
    for (let pick = 0; pick < 100_000; pick++) {
      const id = picker.pick({})?.node.id as string
      counts.set(id, (counts.get(id) ?? 0) + 1)
    }
    expect(counts.size).toBe(10)
    // Six standard deviations of a fair choice are 5.7 % here; the chance of a false alarm is small.
    for (const count of counts.values()) expect(Math.abs(count / 10_000 - 1)).toBeLessThan(0.06)
  })

  test('weights are shares, and 0 takes none', () => {
    const picker = selector.prepare(
      snapshotOf([routeOf('a', 1), routeOf('b', 3), routeOf('none', 0)]),
    )
    let b = 0
    for (let pick = 0; pick < 40_000; pick++) {
      const id = picker.pick({})?.node.id
      expect(id).not.toBe('none')
      if (id === 'b') b += 1
    }
    expect(b / 40_000).toBeGreaterThan(0.73)
    expect(b / 40_000).toBeLessThan(0.77)
  })
})

describe('with a key', () => {
  test('every client agrees, whatever the order of the nodes', () => {
    const routes = nodes(7)
    expect(placement(routes).ids).toEqual(placement([...routes].reverse()).ids)
  })

  test('the placement is the documented one, so that other implementations agree too', () => {
    const routes = nodes(5)
    const picker = selector.prepare(snapshotOf(routes))
    for (const key of ['a', 'b', 'user-42', 'ключ', '', 'x'.repeat(1_000)]) {
      const slot = reference.hash(key) % 65_536n
      const score = ({ node }: Route): bigint =>
        reference.mix(reference.hash(node.id) ^ reference.low((slot + 1n) * 0x85ebca6bn))
      const winner = routes.reduce((best, route) => (score(route) > score(best) ? route : best))
      expect(picker.pick({ key })).toBe(winner)
    }
  })

  test('keys spread over all nodes', () => {
    const counts = new Map<unknown, number>()
    for (const id of placement(nodes(10)).ids) counts.set(id, (counts.get(id) ?? 0) + 1)
    expect(counts.size).toBe(10)
    for (const count of counts.values()) expect(Math.abs(count / 2_000 - 1)).toBeLessThan(0.2)
  })

  test.each([1, 2, 9, 50])(
    'adding one node to %i moves about its share, and only to it',
    (count) => {
      const before = placement(nodes(count))
      const after = placement(nodes(count + 1), before.picker)
      const moved = keys.filter((_, at) => before.ids[at] !== after.ids[at]).length / keys.length
      expect(moved).toBeGreaterThan(0.5 / (count + 1))
      expect(moved).toBeLessThan(2 / (count + 1))
      for (const [at, id] of after.ids.entries())
        if (id !== before.ids[at]) expect(id).toBe(`node-${count}`)
      // What was carried over is what a client that starts now works out.
      expect(after.ids).toEqual(placement(nodes(count + 1)).ids)
    },
  )

  test('clients agree on ids of one hash, whichever came first', () => {
    const [first, second] = [routeOf('node-eeudl'), routeOf('node-yxj3g8')]
    const fresh = placement([first, second]).ids
    expect(placement([first, second], placement([second]).picker).ids).toEqual(fresh)
    expect(placement([first, second], placement([first]).picker).ids).toEqual(fresh)
  })

  test('removing a node moves its keys alone', () => {
    const before = placement(nodes(6))
    const left = nodes(6).filter(({ node }) => node.id !== 'node-3')
    const after = placement(left, before.picker)
    for (const [at, id] of after.ids.entries()) {
      if (before.ids[at] === 'node-3') expect(id).not.toBe('node-3')
      else expect(id).toBe(before.ids[at])
    }
    expect(after.ids).toEqual(placement(left).ids)
  })

  test('while its node is ejected a key goes to the same other one, and back afterwards', () => {
    const routes = nodes(5)
    const { picker } = placement(routes)
    const home = picker.pick({ key: 'k' }) as Route
    home.ejected = true
    const away = picker.pick({ key: 'k' }) as Route
    expect(away).not.toBe(home)
    expect(selector.prepare(snapshotOf(routes)).pick({ key: 'k' })).toBe(away)
    home.ejected = false
    expect(picker.pick({ key: 'k' })).toBe(home)
  })
})

test('excluded routes are never picked, ejected ones only when no other is left', () => {
  const routes = nodes(4)
  const picker = selector.prepare(snapshotOf(routes))
  for (const route of routes.slice(0, 3)) route.ejected = true
  const exclude = new Set([routes[3] as Route])
  for (const key of [undefined, 'a', 'b']) {
    for (let pick = 0; pick < 100; pick++) {
      expect(picker.pick({ key })).toBe(routes[3])
      expect(picker.pick({ key, exclude })?.ejected).toBe(true)
      expect(picker.pick({ key, exclude: new Set(routes) })).toBeUndefined()
    }
  }
  expect(selector.prepare(snapshotOf([])).pick({})).toBeUndefined()
  expect(selector.prepare(snapshotOf([])).pick({ key: 'a' })).toBeUndefined()
})
