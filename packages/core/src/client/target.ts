import type { Context } from '../context/context.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { Route, RouteQuery, Router, RouteView, Snapshot } from '../router/router.ts'
import type { Pick, Picker, Selector } from '../selector/selector.ts'
import type { ConnectionPool, PooledConnection } from './connection-pool.ts'
import { createEjection, type Ejection, type EjectionOptions } from './ejection.ts'

export interface TargetOptions {
  readonly router: Router
  readonly selector: Selector
  readonly pool: ConnectionPool
  readonly ejection: EjectionOptions
}

/** The nodes behind one query, and what has been learnt of them. */
export class Target {
  readonly query: RouteQuery
  readonly ejection: Ejection
  readonly #selector: Selector
  readonly #pool: ConnectionPool
  readonly #router: Router
  readonly #links = new Map<Route, PooledConnection>()
  #view: RouteView | undefined
  #seen: Snapshot | undefined
  #usable: Snapshot = { routes: [], stale: false }
  #picker: Picker | undefined
  /** Over the nodes of this process, where there are some. */
  #localPicker: Picker | undefined

  constructor(query: RouteQuery, options: TargetOptions) {
    this.query = query
    this.#router = options.router
    this.#selector = options.selector
    this.#pool = options.pool
    this.ejection = createEjection(options.ejection, (route, context) =>
      this.#probe(route, context),
    )
  }

  /** The usable nodes now; `undefined` until the router has answered once. */
  get usable(): Snapshot | undefined {
    this.#view ??= this.#router.view(this.query)
    const { current } = this.#view
    if (current === undefined) return undefined
    return current === this.#seen ? this.#usable : this.#adopt(current)
  }

  /** The usable nodes, once the router has answered. */
  async ready(context: Context): Promise<Snapshot> {
    this.#view ??= this.#router.view(this.query)
    return this.#adopt(await this.#view.ready({ signal: context.signal }))
  }

  /** Picks for `call` and leaves the picker there. @throws `unavailable` when no node is left to try. */
  pick(call: Pick & { picker: Picker | undefined }): Route {
    // Keyed calls must reach the same node from everywhere, so only they ignore nearness.
    if (this.#localPicker !== undefined && call.key === undefined) {
      const near = this.#localPicker.pick(call)
      if (near !== undefined && !near.ejected) {
        call.picker = this.#localPicker
        return near
      }
    }
    const route = this.#picker?.pick(call)
    call.picker = this.#picker
    if (route !== undefined) return route
    throw new MicroError('unavailable', this.#whyNone(), { processed: 'no' })
  }

  link(route: Route): PooledConnection {
    let link = this.#links.get(route)
    if (link === undefined) {
      link = this.#pool.acquire(route.node)
      this.#links.set(route, link)
    }
    return link
  }

  close(): void {
    this.ejection.close()
    this.#links.clear()
  }

  #adopt(snapshot: Snapshot): Snapshot {
    if (snapshot === this.#seen) return this.#usable
    this.#seen = snapshot
    const routes = snapshot.routes.filter((route) => this.#pool.reaches(route.node))
    this.#usable = { routes, stale: snapshot.stale }
    this.#picker = this.#selector.prepare(this.#usable, this.#picker)
    const local = routes.filter((route) => this.#pool.isLocal(route.node))
    this.#localPicker =
      local.length === 0 || local.length === routes.length
        ? undefined
        : this.#selector.prepare({ routes: local, stale: snapshot.stale }, this.#localPicker)
    this.ejection.retain(this.#usable)
    const present = new Set(routes)
    for (const [route, link] of this.#links) {
      if (present.has(route)) continue
      this.#links.delete(route)
      link.release()
    }
    return this.#usable
  }

  async #probe(route: Route, context: Context): Promise<void> {
    const { connection } = this.link(route)
    await connection.ping?.(context)
  }

  #whyNone(): string {
    const { service, version, labels } = this.query
    const known = this.#seen?.routes.length ?? 0
    const filter = [
      ...(version === undefined ? [] : [`version ${version}`]),
      ...Object.entries(labels ?? {}).map(([name, value]) => `${name}=${value}`),
    ]
    const wanted = `service "${service}"${filter.length === 0 ? '' : ` (${filter.join(', ')})`}`
    if (known === 0) return `no node of ${wanted} is registered`
    if (this.#usable.routes.length === 0)
      return `none of the ${known} nodes of ${wanted} offers a transport that this client has`
    return `no node of ${wanted} is left to try`
  }
}
