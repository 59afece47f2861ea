import { abortable, createLifecycle } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { Node } from '@micro/core/registry'
import type { RouteQuery, Router, RouteView, Snapshot } from '@micro/core/router'

/** The least that a router can be: the nodes it was made with. */
export function staticRouter(nodes: readonly Node[]): Router {
  const closing = Promise.withResolvers<never>()
  closing.promise.catch(() => undefined)
  const closed = (): MicroError =>
    new MicroError('failed_precondition', 'router "static" is closed')
  const lifecycle = createLifecycle({
    label: 'router "static"',
    close: () => closing.reject(closed()),
  })
  const routes = nodes
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .map((node) => ({ node, ejected: false }))
  const views = new Map<string, RouteView>()
  return {
    name: 'static',
    contract: 'router/0',
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: () => lifecycle.close(),
    health: () => ({ status: lifecycle.closed ? 'down' : 'up' }),
    view(query) {
      if (lifecycle.closed) throw closed()
      const labels = Object.entries(query.labels ?? {}).sort()
      const key = JSON.stringify([query.service, query.version, labels, query.transports])
      const current = { routes: routes.filter(({ node }) => fits(node, query)), stale: false }
      const view = views.get(key) ?? viewOf(current, closing.promise)
      views.set(key, view)
      return view
    },
  }
}

function viewOf(current: Snapshot, closed: Promise<never>): RouteView {
  return {
    current,
    ready: (options) => abortable(Promise.resolve(current), options?.signal),
    changed: (seen, options) =>
      abortable(seen === current ? closed : Promise.resolve(current), options?.signal),
  }
}

function fits(node: Node, query: RouteQuery): boolean {
  const { service, version = node.version, labels = {}, transports = [] } = query
  return (
    node.service === service &&
    node.version === version &&
    Object.entries(labels).every(([name, value]) => node.labels[name] === value) &&
    (transports.length === 0 ||
      node.endpoints.some(({ transport }) => transports.includes(transport)))
  )
}
