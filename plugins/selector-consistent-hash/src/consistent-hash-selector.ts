import { staticComponent } from '@micro/core/component'
import type { Route, Snapshot } from '@micro/core/router'
import { type Pick, type Picker, randomSelector, type Selector } from '@micro/core/selector'
import { type ConsistentHashSelectorOptions, settle } from './options.ts'

/** Choices of a key that are looked at before the least loaded node is taken. */
const tries = 8

/**
 * The same node for the same key, unless that has more than its share of calls in flight: then the
 * key's next choice.
 *
 * Source: Mirrokni, Thorup and Zadimoghaddam, "Consistent Hashing with Bounded Loads" (2018). Which node
 * a key has, and which comes next, is random hashed selection's answer, so both agree on idle nodes.
 *
 * @throws `invalid_argument` naming the option.
 */
export function consistentHashSelector(options: ConsistentHashSelectorOptions = {}): Selector {
  const { maxLoad } = settle(options)
  const hashed = randomSelector()
  return {
    ...staticComponent('consistent-hash', 'selector/0'),
    supports: { keys: true, weights: true },
    prepare: (snapshot, previous) =>
      new BoundedPicker(
        snapshot,
        hashed,
        maxLoad,
        previous instanceof BoundedPicker ? previous : undefined,
      ),
  }
}

/** Calls in flight; the same for all pickers of a service, as calls end where they began. */
interface Load {
  total: number
  readonly byRoute: Map<Route, number>
}

class BoundedPicker implements Picker {
  readonly #hashed: Picker
  readonly #maxLoad: number
  readonly #load: Load
  readonly #routes: readonly Route[]
  readonly #weight: number

  constructor(
    snapshot: Snapshot,
    hashed: Selector,
    maxLoad: number,
    previous: BoundedPicker | undefined,
  ) {
    this.#maxLoad = maxLoad
    this.#hashed = hashed.prepare(snapshot, previous === undefined ? undefined : previous.#hashed)
    this.#routes = snapshot.routes.filter(({ node }) => node.weight > 0)
    this.#weight = this.#routes.reduce((sum, { node }) => sum + node.weight, 0)
    this.#load = previous === undefined ? { total: 0, byRoute: new Map() } : previous.#load
    const here = new Set(this.#routes)
    for (const [route, count] of this.#load.byRoute) {
      if (here.has(route)) continue
      // Its calls are no load of those that stay.
      this.#load.total -= count
      this.#load.byRoute.delete(route)
    }
  }

  pick(call: Pick): Route | undefined {
    let route = this.#hashed.pick(call)
    if (route !== undefined && call.key !== undefined && !this.#hasRoom(route)) {
      route = this.#nextWithRoom(call, route)
    }
    if (route !== undefined) {
      this.#load.total += 1
      this.#load.byRoute.set(route, this.#of(route) + 1)
    }
    return route
  }

  done(route: Route): void {
    const count = this.#of(route)
    if (count === 0) return
    this.#load.total -= 1
    if (count === 1) this.#load.byRoute.delete(route)
    else this.#load.byRoute.set(route, count - 1)
  }

  #of(route: Route): number {
    return this.#load.byRoute.get(route) ?? 0
  }

  /** Whether one more keeps it within `maxLoad` times its share of all, this call included. */
  #hasRoom(route: Route): boolean {
    const share = ((this.#load.total + 1) * route.node.weight) / this.#weight
    return this.#of(route) + 1 <= Math.ceil(share * this.#maxLoad)
  }

  #nextWithRoom(call: Pick, first: Route): Route {
    const full = new Set(call.exclude)
    full.add(first)
    for (let attempt = 0; attempt < tries; attempt++) {
      const route = this.#hashed.pick({ key: call.key, exclude: full })
      // None but ejected ones are left: better a busy node.
      if (route === undefined || route.ejected) break
      if (this.#hasRoom(route)) return route
      full.add(route)
    }
    return this.#leastLoaded(call.exclude) ?? first
  }

  #leastLoaded(exclude: ReadonlySet<Route> | undefined): Route | undefined {
    let best: Route | undefined
    let least = Number.POSITIVE_INFINITY
    for (const route of this.#routes) {
      if (route.ejected || exclude?.has(route) === true) continue
      const load = this.#of(route) / route.node.weight
      if (load < least) {
        least = load
        best = route
      }
    }
    return best
  }
}
