import { requireContract } from '../component/contract.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { Route, Snapshot } from '../router/router.ts'
import type { Outcome, Pick, Picker, Selector } from './selector.ts'

export interface ZoneSelectorOptions {
  /** Where this client is, as nodes announce it: `eu-west-1a`. */
  readonly zone: string
  /** Chooses within the zone, and among the nodes of the others. It is connected and closed with this. */
  readonly selector: Selector
  /**
   * How many times its even share a node of the zone can bear. With 1.4, all calls stay while five of
   * seven nodes are there; with fewer, the zone gets 1.4 × what is left of it. @default 1.4
   */
  readonly overprovisioning?: number
}

/**
 * Prefers nodes of its own zone, whatever selects among them, and spills over to the others as nodes of
 * the zone are ejected, in the proportion of Envoy's priority levels. A zone without a usable node gets
 * nothing. Calls with a key go where they go from every zone, if the selector keeps keys.
 *
 * @throws `invalid_argument` naming the option.
 */
export function zoneSelector(options: ZoneSelectorOptions): Selector {
  const { zone, selector, overprovisioning = 1.4 } = options
  requireContract(selector, 'selector/0')
  if (typeof zone !== 'string' || zone === '') {
    throw new MicroError('invalid_argument', 'zone: give the name of a zone')
  }
  if (!(overprovisioning >= 1 && overprovisioning <= 1_000)) {
    throw new MicroError(
      'invalid_argument',
      `overprovisioning: ${overprovisioning}; give a number from 1 to 1000`,
    )
  }
  return {
    name: 'zone',
    contract: 'selector/0',
    supports: selector.supports,
    connect: (connectOptions) => selector.connect(connectOptions),
    close: (closeOptions) => selector.close(closeOptions),
    [Symbol.asyncDispose]: () => selector.close(),
    health: () => selector.health(),
    prepare(snapshot, previous) {
      const known = previous instanceof ZonePicker ? previous : undefined
      return new ZonePicker(snapshot, { zone, selector, overprovisioning }, known)
    },
  }
}

/** Picks after which what is left of the zone is looked at again, at most. */
const longestUnseen = 1_000

class ZonePicker implements Picker {
  readonly done?: (route: Route, outcome: Outcome) => void
  readonly #near: Picker
  readonly #far: Picker
  /** Over all nodes, for calls with a key. */
  readonly #all: Picker | undefined
  /** Calls with a key that are under way, where the selector wants to hear of their ends. */
  readonly #keyed: Map<Route, number>
  readonly #routes: readonly Route[]
  readonly #weight: number
  readonly #overprovisioning: number
  /** Of the calls without a key, how many stay. */
  #share = 1
  #picks = 0

  constructor(
    snapshot: Snapshot,
    { zone, selector, overprovisioning }: Required<ZoneSelectorOptions>,
    previous: ZonePicker | undefined,
  ) {
    const near = snapshot.routes.filter(({ node }) => node.zone === zone)
    const far = snapshot.routes.filter(({ node }) => node.zone !== zone)
    const { stale } = snapshot
    const learnt = previous === undefined ? undefined : previous.#pickers()
    this.#near = selector.prepare({ routes: near, stale }, learnt?.near)
    this.#far = selector.prepare({ routes: far, stale }, learnt?.far)
    this.#all = selector.supports.keys ? selector.prepare(snapshot, learnt?.all) : undefined
    this.#keyed = learnt?.keyed ?? new Map()
    this.#routes = near
    this.#weight = near.reduce((sum, { node }) => sum + node.weight, 0)
    this.#overprovisioning = overprovisioning
    if (this.#near.done !== undefined) {
      this.done = (route, outcome) => {
        if (this.#takeKeyed(route)) this.#all?.done?.(route, outcome)
        else (route.node.zone === zone ? this.#near : this.#far).done?.(route, outcome)
      }
    }
  }

  #pickers() {
    return { near: this.#near, far: this.#far, all: this.#all, keyed: this.#keyed }
  }

  pick(call: Pick): Route | undefined {
    if (call.key !== undefined && this.#all !== undefined) return this.#pickKeyed(call, this.#all)
    this.#look()
    const stays = this.#share === 1 || Math.random() < this.#share
    const [first, second] = stays ? [this.#near, this.#far] : [this.#far, this.#near]
    const route = first.pick(call)
    if (route !== undefined && !route.ejected) return route
    // Nothing usable on that side: a node that answers is better than a near one.
    const other = second.pick(call)
    if (other === undefined || (route !== undefined && other.ejected)) {
      giveBack(second, other)
      return route
    }
    giveBack(first, route)
    return other
  }

  #pickKeyed(call: Pick, all: Picker): Route | undefined {
    const route = all.pick(call)
    if (route !== undefined && this.done !== undefined) {
      this.#keyed.set(route, (this.#keyed.get(route) ?? 0) + 1)
    }
    return route
  }

  /** Of the calls under way on a route it does not matter which has ended, but how many have. */
  #takeKeyed(route: Route): boolean {
    const count = this.#keyed.get(route)
    if (count === undefined) return false
    if (count === 1) this.#keyed.delete(route)
    else this.#keyed.set(route, count - 1)
    return true
  }

  /** Ejection is a flag and tells nobody, so it is looked at now and then: often among few nodes. */
  #look(): void {
    this.#picks -= 1
    if (this.#picks >= 0) return
    this.#picks = Math.min(this.#routes.length, longestUnseen)
    let usable = 0
    for (const { node, ejected } of this.#routes) if (!ejected) usable += node.weight
    const left = this.#weight === 0 ? 0 : usable / this.#weight
    this.#share = Math.min(1, this.#overprovisioning * left)
  }
}

/** For pickers that count what is under way: a pick is followed by `done`, even one that is not used. */
function giveBack(picker: Picker, route: Route | undefined): void {
  if (route !== undefined) picker.done?.(route, { latency: 0, failed: true })
}
