import { type RouterSource, routerTraits } from '@micro/conformance/router'
import { currentContext } from '@micro/core/context'
import type { Registry } from '@micro/core/registry'
import {
  type RouteQuery,
  type Router,
  type RouteView,
  registryRouter,
  type Snapshot,
} from '@micro/core/router'
import { describe, expect, test } from 'vitest'
import { failuresOf } from './support/failures-of.ts'
import { routedRegistries } from './support/routed-registries.ts'

type Break = (router: Router, registry: Registry) => Partial<Router>

/** Ways to be wrong, at least one for each trait. */
const broken: readonly (readonly [trait: string, what: string, make: Break])[] = [
  [
    'views',
    'takes the nodes of all services',
    (_, registry) =>
      registryRouter({
        registry: { ...registry, watch: ({ service: _, ...rest } = {}) => registry.watch(rest) },
      }),
  ],
  ['views', 'keeps the order in which nodes came', (router) => withSnapshots(router, reversed)],
  [
    'views',
    'answers changed without a change',
    (router) => withViews(router, (view) => ({ changed: (_, options) => view.ready(options) })),
  ],
  ['changes', 'keeps the first routes', (router) => withViews(router, keepsFirst)],
  ['changes', 'wakes one who waits', (router) => withViews(router, wakesOne)],
  [
    'changes',
    'tells only of changes that somebody waits for',
    (router) => withViews(router, (view) => ({ changed: () => view.changed(view.current) })),
  ],
  ['changes', 'changes a snapshot in place', (router) => withSnapshots(router, inPlace())],
  ['filters', 'ignores the version', withQuery(({ version: _, ...query }) => query)],
  ['filters', 'ignores transports', withQuery(({ transports: _, ...query }) => query)],
  [
    'filters',
    'looks at the first label only',
    withQuery(({ labels = {}, ...query }) => ({
      ...query,
      labels: Object.fromEntries(Object.entries(labels).slice(0, 1)),
    })),
  ],
  [
    'identity',
    'makes a view for each caller',
    (router) => ({ view: (query) => copyOf(router.view(query)) }),
  ],
  ['identity', 'tells views apart by service only', mixesViews],
  ['identity', 'makes a snapshot for each look', (router) => withViews(router, copies)],
  ['identity', 'makes new routes for each snapshot', (router) => withSnapshots(router, newRoutes)],
  ['emptiness', 'is not ready without a node', (router) => withViews(router, waitsForNodes)],
  ['emptiness', 'takes no nodes for an outage', (router) => withSnapshots(router, keepsLast())],
  [
    'outages',
    'forgets the routes',
    (router) =>
      withSnapshots(router, (snapshot) =>
        snapshot.stale ? { ...snapshot, routes: [] } : snapshot,
      ),
  ],
  [
    'outages',
    'hides its outages',
    (router) => withSnapshots(router, (snapshot) => ({ ...snapshot, stale: false })),
  ],
  ['outages', 'says that it is well', () => ({ health: () => ({ status: 'up' }) })],
  ['independence from callers', 'ends with the call that began it', endsWithCall],
  ['independence from callers', 'ends with the signal that came first', endsWithSignal],
  ['closing', 'leaves those who wait', (router) => withViews(router, leavesWaiting)],
  [
    'lifecycle',
    'goes on after close',
    () => ({ close: async () => undefined, [Symbol.asyncDispose]: async () => undefined }),
  ],
  [
    'lifecycle',
    'ignores signals',
    (router) => withViews(router, (view) => ({ ready: () => view.ready() })),
  ],
]

describe.concurrent('a router that', () => {
  test.each(broken)('%s: %s, is caught', { timeout: 15_000 }, async (name, _what, breakIt) => {
    const { create, ...source } = setting(breakIt)
    expect(await failuresOf(traitNamed(name, source), { name: 'broken', create })).not.toEqual([])
  })

  test('changes: changes though it claims not to, is caught', { timeout: 15_000 }, async () => {
    const { create, place } = setting()
    const trait = traitNamed('changes', { place, live: false })
    expect(await failuresOf(trait, { name: 'broken', create })).not.toEqual([])
  })

  test('filters: tells more than addresses though it claims not to, is caught', async () => {
    const { create, place } = setting()
    const trait = traitNamed('filters', { place, tells: 'addresses' })
    expect(await failuresOf(trait, { name: 'broken', create })).not.toEqual([])
  })

  test('outages: is stale though its source is never away, is caught', async () => {
    const { create, place } = setting((router) =>
      withSnapshots(router, (snapshot) => ({ ...snapshot, stale: true })),
    )
    expect(
      await failuresOf(traitNamed('outages', { place }), { name: 'broken', create }),
    ).not.toEqual([])
  })
})

function setting(breakIt: Break = () => ({})) {
  const { registryOf, place, interrupt } = routedRegistries()
  const create = (scope: string): Router => {
    const registry = registryOf(scope)
    const router = registryRouter({ registry })
    return { ...router, ...breakIt(router, registry) }
  }
  return { create, place, interrupt }
}

function traitNamed(name: string, source: RouterSource) {
  return routerTraits(source).find((one) => one.name === name)
}

/** Replaces members of every view; the same view for the same one below. */
function withViews(
  router: Router,
  change: (view: RouteView) => Partial<RouteView>,
): Partial<Router> {
  const views = new WeakMap<RouteView, RouteView>()
  return {
    view(query) {
      const below = router.view(query)
      const view = views.get(below) ?? overlay(below, change(below))
      views.set(below, view)
      return view
    },
  }
}

/** Replaces every snapshot; the same one for the same one below. */
function withSnapshots(router: Router, change: (snapshot: Snapshot) => Snapshot): Partial<Router> {
  const shown = new WeakMap<Snapshot, Snapshot>()
  const below = new WeakMap<Snapshot, Snapshot>()
  const show = (snapshot: Snapshot): Snapshot => {
    const known = shown.get(snapshot)
    if (known !== undefined) return known
    const changed = change(snapshot)
    shown.set(snapshot, changed)
    below.set(changed, snapshot)
    return changed
  }
  return withViews(router, (view) => ({
    get current() {
      return view.current === undefined ? undefined : show(view.current)
    },
    ready: async (options) => show(await view.ready(options)),
    changed: async (seen, options) =>
      show(await view.changed(seen === undefined ? seen : (below.get(seen) ?? seen), options)),
  }))
}

function withQuery(change: (query: RouteQuery) => RouteQuery): Break {
  return (router) => ({ view: (query) => router.view(change(query)) })
}

/** `view` with the members of `over`, getters and all. */
function overlay(view: RouteView, over: Partial<RouteView>): RouteView {
  return Object.defineProperties(copyOf(view), Object.getOwnPropertyDescriptors(over))
}

function copyOf(view: RouteView): RouteView {
  return {
    get current() {
      return view.current
    },
    ready: (options) => view.ready(options),
    changed: (seen, options) => view.changed(seen, options),
  }
}

const never = (): Promise<never> => new Promise(() => undefined)

function reversed({ routes, stale }: Snapshot): Snapshot {
  return { routes: routes.toReversed(), stale }
}

function newRoutes({ routes, stale }: Snapshot): Snapshot {
  return { routes: routes.map(({ node }) => ({ node, ejected: false })), stale }
}

function inPlace(): (snapshot: Snapshot) => Snapshot {
  const all = new Map<string, { routes: Snapshot['routes']; stale: boolean }>()
  return (snapshot) => {
    const key = snapshot.routes[0]?.node.service ?? ''
    const one = all.get(key) ?? { routes: [], stale: false }
    all.set(key, one)
    return Object.assign(one, snapshot)
  }
}

function keepsLast(): (snapshot: Snapshot) => Snapshot {
  let last: Snapshot | undefined
  return (snapshot) => {
    if (snapshot.routes.length > 0) last = snapshot
    return snapshot.routes.length > 0 || last === undefined ? snapshot : { ...last, stale: true }
  }
}

function keepsFirst(view: RouteView): Partial<RouteView> {
  let first: Snapshot | undefined
  return {
    get current() {
      return first
    },
    async ready(options) {
      first ??= await view.ready(options)
      return first
    },
    changed: never,
  }
}

function wakesOne(view: RouteView): Partial<RouteView> {
  let waiting = false
  return {
    changed: async (seen, options) => {
      if (view.current !== undefined && view.current !== seen) return view.current
      if (waiting) return never()
      waiting = true
      return view.changed(seen, options).finally(() => {
        waiting = false
      })
    },
  }
}

function copies(view: RouteView): Partial<RouteView> {
  return {
    get current() {
      return view.current === undefined ? undefined : { ...view.current }
    },
    ready: async (options) => ({ ...(await view.ready(options)) }),
  }
}

function mixesViews(router: Router): Partial<Router> {
  const views = new Map<string, RouteView>()
  return {
    view(query) {
      const view = views.get(query.service) ?? router.view(query)
      views.set(query.service, view)
      return view
    },
  }
}

function waitsForNodes(view: RouteView): Partial<RouteView> {
  return {
    async ready(options) {
      let snapshot = await view.ready(options)
      while (snapshot.routes.length === 0) snapshot = await view.changed(snapshot, options)
      return snapshot
    },
  }
}

function leavesWaiting(view: RouteView): Partial<RouteView> {
  return {
    changed: (seen, options) => view.changed(seen, options).catch(never),
  }
}

function endsWithCall(router: Router): Partial<Router> {
  return {
    view(query) {
      const view = router.view(query)
      currentContext().onCancel(() => void router.close())
      return view
    },
  }
}

function endsWithSignal(router: Router): Partial<Router> {
  return withViews(router, (view) => ({
    ready(options) {
      options?.signal?.addEventListener('abort', () => void router.close())
      return view.ready(options)
    },
  }))
}
