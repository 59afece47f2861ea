import type { Route } from '@micro/core/router'
import type { Selector } from '@micro/core/selector'

export function routesOf(count: number): Route[] {
  return Array.from({ length: count }, (_, at) => ({
    ejected: false,
    node: {
      schema: 1,
      id: `n${at}`,
      service: 's',
      version: '1',
      weight: 1,
      labels: {},
      endpoints: [],
    },
  }))
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

export interface Simulation {
  readonly seed: number
  readonly nodes: number
  readonly calls: number
  /** Mean milliseconds between calls; they come at random. */
  readonly interarrival: number
  /** Milliseconds that a node works on one call. */
  readonly serviceTime: (node: number, random: number) => number
  readonly make: (now: () => number, random: () => number) => Selector
}

/** Nodes that work on one call at a time, first come, first served, in time that only counts. */
export function simulate(simulation: Simulation): number[] {
  const { nodes, calls, interarrival, serviceTime, make } = simulation
  const random = numbers(simulation.seed)
  let time = 0
  const routes = routesOf(nodes)
  const picker = make(() => time, numbers(simulation.seed + 1)).prepare({ routes, stale: false })
  const free = new Float64Array(nodes)
  const running: { end: number; start: number; route: Route }[] = []
  const latencies: number[] = []
  const endUntil = (moment: number): void => {
    while (running.length > 0 && (running[0] as { end: number }).end <= moment) {
      const { end, start, route } = running.shift() as (typeof running)[0]
      time = end
      latencies.push(end - start)
      picker.done?.(route, { latency: end - start, failed: false })
    }
    time = moment
  }
  for (let call = 0; call < calls; call++) {
    endUntil(time - Math.log(1 - random()) * interarrival)
    const route = picker.pick({}) as Route
    const at = routes.indexOf(route)
    const end = Math.max(time, free[at] as number) + serviceTime(at, random())
    free[at] = end
    // Kept in the order of their ends.
    let place = running.length
    while (place > 0 && (running[place - 1] as { end: number }).end > end) place -= 1
    running.splice(place, 0, { end, start: time, route })
  }
  endUntil(Number.POSITIVE_INFINITY)
  return latencies
}
