import type { AbortOptions, Component } from '../component/component.ts'
import type { Node } from '../registry/registry.ts'

/** Which nodes of a service; plain data, so that equal queries share one view. */
export interface RouteQuery {
  readonly service: string
  /** Exact version. */
  readonly version?: string | undefined
  /** Labels a node must have, with these values. */
  readonly labels?: Readonly<Record<string, string>> | undefined
  /** Transports the caller can use; a node with none of them is left out. Empty: any. */
  readonly transports?: readonly string[] | undefined
}

/** One node that can be called. The same object from snapshot to snapshot while the node lives. */
export interface Route {
  readonly node: Node
  /** Set by the caller's failure detection: such a route is not picked while others are left. */
  ejected: boolean
}

/** All routes of a query at one moment, ordered by node id. Immutable but for `ejected`. */
export interface Snapshot {
  readonly routes: readonly Route[]
  /** True while the source of the routes cannot be reached: they are the last known good. */
  readonly stale: boolean
}

/** A query's routes, kept current for as long as the router is open. */
export interface RouteView {
  /** The latest snapshot; `undefined` until the source has answered once. */
  readonly current: Snapshot | undefined
  /** Waits for the first snapshot. @throws `unavailable` if the source cannot be reached. */
  ready(options?: AbortOptions): Promise<Snapshot>
  /** Waits for a snapshot other than `seen`. */
  changed(seen: Snapshot | undefined, options?: AbortOptions): Promise<Snapshot>
}

/** Turns the name of a service into routes to its nodes. */
export interface Router extends Component {
  readonly contract: 'router/0'
  /** The live view of `query`; the same object for an equal query. */
  view(query: RouteQuery): RouteView
}
