import { staticComponent } from '../component/static-component.ts'
import type { Route, Snapshot } from '../router/router.ts'
import { hashText, mix, slotCount } from './hash.ts'
import type { Pick, Picker, Selector } from './selector.ts'

/**
 * Random hashed selection: an even random spread without a key; with one, the same node for the
 * same key, from every client, for as long as the node lives.
 *
 * Keys fall into 65,536 slots; a slot belongs to the node that wins the weighted rendezvous for it
 * (Thaler and Ravishankar, 1998; weights by Schindelhauer and Schomaker, 2005). It depends on ids
 * and weights alone, so clients agree without talking. Slots are worked out when first used and
 * carried over when nodes come and go: a new node takes only the slots that it wins.
 */
export function randomSelector(): Selector {
  return {
    ...staticComponent('random', 'selector/0'),
    supports: { keys: true, weights: true },
    prepare: (snapshot, previous) =>
      new HashedPicker(snapshot, previous instanceof HashedPicker ? previous : undefined),
  }
}

/** How often a random or hashed choice is repeated before all routes are looked at in turn. */
const tries = 8

class HashedPicker implements Picker {
  readonly #routes: readonly Route[]
  readonly #seeds: Uint32Array
  readonly #weights: Float64Array
  readonly #heaviest: number
  readonly #even: boolean
  /** Index of the winning route plus one; 0 where not worked out yet. Made at the first keyed pick. */
  #slots: Uint32Array | undefined

  constructor(snapshot: Snapshot, previous: HashedPicker | undefined) {
    // A weight of 0 takes no calls at all.
    this.#routes = snapshot.routes.filter((route) => route.node.weight > 0)
    this.#seeds = Uint32Array.from(this.#routes, (route) => hashText(route.node.id))
    this.#weights = Float64Array.from(this.#routes, (route) => route.node.weight)
    this.#heaviest = this.#weights.reduce((most, weight) => Math.max(most, weight), 0)
    this.#even = this.#weights.every((weight) => weight === this.#heaviest)
    this.#slots = previous === undefined ? undefined : this.#inherit(previous)
  }

  pick(call: Pick): Route | undefined {
    const count = this.#routes.length
    if (count === 0) return undefined
    const { key, exclude } = call
    return key === undefined ? this.#pickRandom(count, exclude) : this.#pickHashed(key, exclude)
  }

  #pickRandom(count: number, exclude: ReadonlySet<Route> | undefined): Route | undefined {
    for (let attempt = 0; attempt < tries; attempt++) {
      const at = (Math.random() * count) | 0
      const route = this.#routes[at] as Route
      if (route.ejected || exclude?.has(route) === true) continue
      // Refusing in proportion to the missing weight leaves each route its share.
      if (!this.#even && Math.random() * this.#heaviest >= (this.#weights[at] as number)) continue
      return route
    }
    return this.#scan((Math.random() * count) | 0, exclude)
  }

  #pickHashed(key: string, exclude: ReadonlySet<Route> | undefined): Route | undefined {
    let hash = hashText(key)
    for (let attempt = 0; attempt < tries; attempt++) {
      const route = this.#routes[this.#winner(hash % slotCount)] as Route
      if (!route.ejected && exclude?.has(route) !== true) return route
      // The key's next choice; again the same for every client.
      hash = mix(hash + 0x9e3779b9)
    }
    return this.#scan(hash % this.#routes.length, exclude)
  }

  /** The first usable route from `start` on; an ejected one only if there is no other. */
  #scan(start: number, exclude: ReadonlySet<Route> | undefined): Route | undefined {
    let ejected: Route | undefined
    for (let step = 0; step < this.#routes.length; step++) {
      const route = this.#routes[(start + step) % this.#routes.length] as Route
      if (exclude?.has(route) === true) continue
      if (!route.ejected) return route
      ejected ??= route
    }
    return ejected
  }

  #winner(slot: number): number {
    this.#slots ??= new Uint32Array(slotCount)
    const known = this.#slots[slot] as number
    if (known !== 0) return known - 1
    let winner = 0
    let best = Number.NEGATIVE_INFINITY
    for (let at = 0; at < this.#routes.length; at++) {
      const score = this.#score(at, slot)
      if (score > best) {
        best = score
        winner = at
      }
    }
    this.#slots[slot] = winner + 1
    return winner
  }

  /** With equal weights the plain hash orders routes as the weighted score would, much cheaper. */
  #score(at: number, slot: number): number {
    const hash = mix((this.#seeds[at] as number) ^ Math.imul(slot + 1, 0x85ebca6b))
    if (this.#even) return hash
    return -(this.#weights[at] as number) / Math.log((hash + 0.5) / 2 ** 32)
  }

  /** Slots of `previous` whose winner is still here, unless a newcomer beats it. */
  #inherit(previous: HashedPicker): Uint32Array | undefined {
    const old = previous.#slots
    // Scores on different scales cannot be compared; start over.
    if (old === undefined || !this.#even || !previous.#even) return undefined
    const index = new Map(this.#routes.map((route, at) => [route.node.id, at]))
    const moved = Uint32Array.from(
      previous.#routes,
      (route) => (index.get(route.node.id) ?? -1) + 1,
    )
    for (const route of previous.#routes) index.delete(route.node.id)
    const newcomers = [...index.values()]
    const slots = new Uint32Array(slotCount)
    for (let slot = 0; slot < slotCount; slot++) {
      const winner = old[slot] as number
      if (winner === 0) continue
      const kept = moved[winner - 1] as number
      if (kept === 0) continue
      let best = kept - 1
      for (const at of newcomers) {
        const lead = this.#score(at, slot) - this.#score(best, slot)
        // Ids of one hash always tie. The first wins, as where a client starts now.
        if (lead > 0 || (lead === 0 && at < best)) best = at
      }
      slots[slot] = best + 1
    }
    return slots
  }
}
