import type { Component } from '../component/component.ts'
import type { Route, Snapshot } from '../router/router.ts'

export interface Pick {
  /** Calls with the same key go to the same node while that lives. */
  readonly key?: string | undefined
  /** Routes already tried. */
  readonly exclude?: ReadonlySet<Route> | undefined
}

/** How a call on a route ended, for selectors that learn. */
export interface Outcome {
  /** Milliseconds from pick to end. */
  readonly latency: number
  /** Whether the node failed as infrastructure: refused, unreachable, hung. */
  readonly failed: boolean
}

/** Chooses among the routes of one snapshot; called for every attempt, so it does no I/O. */
export interface Picker {
  /** A route not excluded; an ejected one only if no other is left. `undefined` if none is. */
  pick(call: Pick): Route | undefined
  /** Told once per picked route; left out by selectors that do not learn, which saves the clock. */
  done?(route: Route, outcome: Outcome): void
}

/** Where algorithms truly differ. */
export interface SelectorSupports {
  /** The same key gives the same node while that lives, from every client. Otherwise keys are ignored. */
  readonly keys: boolean
  /** Nodes get calls in proportion to their weights. Otherwise all that have any weight are equal. */
  readonly weights: boolean
}

/** A load-balancing algorithm. A node of weight 0 gets no calls. */
export interface Selector extends Component {
  readonly contract: 'selector/0'
  readonly supports: SelectorSupports
  /** Called when routes come or go; `previous` holds what was learnt. Ejection does not call it. */
  prepare(snapshot: Snapshot, previous?: Picker): Picker
}
