import type { Route, Snapshot } from '@micro/core/router'
import type { Pick, Picker } from '@micro/core/selector'

export function routeOf(id: string, weight = 1): Route {
  return {
    ejected: false,
    node: { schema: 1, id, service: 's', version: '1', weight, labels: {}, endpoints: [] },
  }
}

/** `n00000`, `n00001` … in the order that snapshots have. */
export function routesOf(count: number): Route[] {
  return Array.from({ length: count }, (_, at) => routeOf(`n${String(at).padStart(5, '0')}`))
}

export function snapshotOf(routes: readonly Route[]): Snapshot {
  return { routes, stale: false }
}

/** Picks, and says that the call went well. */
export function use(picker: Picker, call: Pick = {}): Route | undefined {
  const route = picker.pick(call)
  if (route !== undefined) picker.done?.(route, { latency: 1, failed: false })
  return route
}

/** How often each node was picked. */
export function countOf(picker: Picker, picks: number, call: Pick = {}): Map<string, number> {
  const counts = new Map<string, number>()
  for (let at = 0; at < picks; at++) {
    const id = use(picker, call)?.node.id ?? 'none'
    counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  return counts
}

/** The node of each of so many keys. */
export function placesOf(picker: Picker, keys: number): (string | undefined)[] {
  return Array.from({ length: keys }, (_, at) => use(picker, { key: `key-${at}` })?.node.id)
}

/** Numbers that look random and are the same each time (mulberry32). */
export function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
