import { staticComponent } from '@micro/core/component'
import type { Route, Snapshot } from '@micro/core/router'
import type { Pick, Picker, Selector } from '@micro/core/selector'
import { type RoundRobinSelectorOptions, settle } from './options.ts'
import { TurnHeap } from './turn-heap.ts'

/**
 * Every node in its turn, heavier ones more often and evenly between the others, never in a row.
 *
 * A node's next turn is its last one plus 1 / weight, and the earliest turn is next: earliest deadline
 * first, as in fair queueing (Demers, Keshav and Shenker, 1989). The order is as smooth as nginx's
 * weighted round robin, at O(log n) instead of O(n) for a pick.
 *
 * @throws `invalid_argument` naming the option.
 */
export function roundRobinSelector(options: RoundRobinSelectorOptions = {}): Selector {
  const { random } = settle(options)
  return {
    ...staticComponent('round-robin', 'selector/0'),
    supports: { keys: false, weights: true },
    prepare: (snapshot, previous) =>
      new RoundRobinPicker(
        snapshot,
        random,
        previous instanceof RoundRobinPicker ? previous : undefined,
      ),
  }
}

const goldenRatio = (Math.sqrt(5) - 1) / 2

class RoundRobinPicker implements Picker {
  readonly #routes: readonly Route[]
  readonly #turns: TurnHeap
  /** Taken out by a pick that could not use them, for as long as it lasts. */
  readonly #passed: number[] = []

  constructor(snapshot: Snapshot, random: () => number, previous: RoundRobinPicker | undefined) {
    // A weight of 0 takes no calls at all.
    this.#routes = snapshot.routes.filter(({ node }) => node.weight > 0)
    const known = previous?.turns()
    // Turns count from the last one on, so that they stay small however long it goes on.
    const now = known === undefined ? 0 : (previous?.now ?? 0)
    const start = random()
    this.#turns = new TurnHeap(
      this.#routes.map(({ node }, at) => {
        const turn = known?.get(node.id)
        // Steps of the golden ratio lie evenly however many there are, so that equals are no crowd.
        const phase = (start + at * goldenRatio) % 1
        return turn === undefined ? phase / node.weight : Math.max(0, turn - now)
      }),
    )
  }

  /** The turn that is next. */
  get now(): number {
    return this.#turns.earliest
  }

  turns(): ReadonlyMap<string, number> {
    return new Map(this.#routes.map(({ node }, at) => [node.id, this.#turns.of(at)]))
  }

  pick({ exclude }: Pick): Route | undefined {
    let picked: Route | undefined
    let ejected: Route | undefined
    while (this.#turns.size > 0) {
      const at = this.#turns.take()
      const route = this.#routes[at] as Route
      this.#passed.push(at)
      if (exclude?.has(route) === true) continue
      if (route.ejected) {
        ejected ??= route
        continue
      }
      picked = route
      break
    }
    for (const at of this.#passed) {
      const route = this.#routes[at] as Route
      // An ejected one loses its turn, or it would be given all that it missed when it is back.
      const used = route === picked || route.ejected
      this.#turns.put(at, this.#turns.of(at) + (used ? 1 / route.node.weight : 0))
    }
    this.#passed.length = 0
    return picked ?? ejected
  }
}
