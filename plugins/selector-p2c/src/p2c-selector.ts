import { staticComponent } from '@micro/core/component'
import type { Route, Snapshot } from '@micro/core/router'
import type { Outcome, Pick, Picker, Selector } from '@micro/core/selector'
import { NodeLoad } from './node-load.ts'
import { type P2cSelectorOptions, type Settings, settle } from './options.ts'

/** Of the picks that look at no load, so that a node which was slow once is heard of again. */
const explored = 0.02
/** What is not this much better is as good, and then weights alone decide. */
const margin = 0.9
/** Draws by weight before one is taken as it comes. */
const tries = 8

/**
 * The better of two nodes drawn at random (Mitzenmacher, 2001), where better is the lower product of
 * latency and calls in flight. Latency is a moving average that takes peaks at once, as in Finagle's
 * "peak EWMA".
 *
 * @throws `invalid_argument` naming the option.
 */
export function p2cSelector(options: P2cSelectorOptions = {}): Selector {
  const settings = settle(options)
  return {
    ...staticComponent('p2c', 'selector/0'),
    supports: { keys: false, weights: true },
    prepare: (snapshot, previous) =>
      new P2cPicker(snapshot, settings, previous instanceof P2cPicker ? previous : undefined),
  }
}

class P2cPicker implements Picker {
  readonly #settings: Settings
  readonly #routes: readonly Route[]
  readonly #weights: Float64Array
  readonly #heaviest: number
  readonly #loads: readonly NodeLoad[]
  readonly #byRoute: ReadonlyMap<Route, NodeLoad>

  constructor(snapshot: Snapshot, settings: Settings, previous: P2cPicker | undefined) {
    this.#settings = settings
    // A weight of 0 takes no calls at all.
    this.#routes = snapshot.routes.filter(({ node }) => node.weight > 0)
    this.#weights = Float64Array.from(this.#routes, ({ node }) => node.weight)
    this.#heaviest = this.#weights.reduce((most, weight) => Math.max(most, weight), 0)
    const now = settings.now()
    const joinsOthers = previous !== undefined && previous.#routes.length > 0
    // Calls under way end at the picker that they began at: both know the same loads.
    const known = previous === undefined ? undefined : previous.#byRoute
    this.#byRoute = new Map(
      this.#routes.map((route) => [
        route,
        known?.get(route) ?? new NodeLoad(settings, now, joinsOthers),
      ]),
    )
    this.#loads = [...this.#byRoute.values()]
  }

  pick({ exclude }: Pick): Route | undefined {
    const now = this.#settings.now()
    const first = this.#draw(exclude, -1, now)
    if (first < 0) return undefined
    const explores = this.#settings.random() < explored
    const second = explores ? -1 : this.#draw(exclude, first, now)
    const at = second >= 0 && this.#isBetter(second, first, now) ? second : first
    ;(this.#loads[at] as NodeLoad).begin()
    return this.#routes[at]
  }

  done(route: Route, outcome: Outcome): void {
    this.#byRoute.get(route)?.end(outcome, this.#settings.now())
  }

  #isBetter(one: number, other: number, now: number): boolean {
    const ejected = (this.#routes[one] as Route).ejected
    if (ejected !== (this.#routes[other] as Route).ejected) return !ejected
    const cost = (this.#loads[one] as NodeLoad).cost(now)
    return cost < (this.#loads[other] as NodeLoad).cost(now) * margin
  }

  /** A node by weight that may be used, other than `taken`; -1 if there is none. */
  #draw(exclude: ReadonlySet<Route> | undefined, taken: number, now: number): number {
    const { random } = this.#settings
    const count = this.#routes.length
    for (let attempt = 0; attempt < tries; attempt++) {
      const at = (random() * count) | 0
      const route = this.#routes[at]
      if (route === undefined || at === taken || route.ejected || exclude?.has(route) === true)
        continue
      const weight = (this.#weights[at] as number) * (this.#loads[at] as NodeLoad).share(now)
      if (weight < this.#heaviest && random() * this.#heaviest >= weight) continue
      return at
    }
    return this.#scan((random() * count) | 0, exclude, taken)
  }

  /** The first usable one from `start` on; an ejected one only if there is no other. */
  #scan(start: number, exclude: ReadonlySet<Route> | undefined, taken: number): number {
    const count = this.#routes.length
    let ejected = -1
    for (let step = 0; step < count; step++) {
      const at = (start + step) % count
      const route = this.#routes[at] as Route
      if (at === taken || exclude?.has(route) === true) continue
      if (!route.ejected) return at
      if (ejected < 0) ejected = at
    }
    return ejected
  }
}
