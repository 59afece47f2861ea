import { backoff, sleep, unrefTimer } from '../component/timing.ts'
import { runInRoot } from '../context/ambient.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { Node, Registry, RegistryEvent } from '../registry/registry.ts'
import type { Route, RouteQuery, RouteView, Snapshot } from './router.ts'

/** All that is known of one service, from one watch of the registry. */
export interface ServiceTable {
  readonly stale: boolean
  view(query: RouteQuery): ViewFeed
  close(): Promise<void>
}

interface ViewFeed {
  current: Snapshot | undefined
  view: RouteView | undefined
  /** The next snapshot; rejects when the registry cannot be reached or the router is closed. */
  next(): Promise<Snapshot>
}

interface Feed extends ViewFeed {
  readonly query: RouteQuery
  waiting: PromiseWithResolvers<Snapshot> | undefined
}

const retryWait = { base: 100, max: 5_000 }

/**
 * Nodes for each millisecond between two snapshots: whoever picks looks at all nodes for each new one, so
 * that a service of ten thousand has twenty a second at most, and one of hundreds as many as it likes.
 */
const nodesPerMillisecond = 200
const shortestWait = 5

export function createServiceTable(
  registry: Pick<Registry, 'name' | 'watch'>,
  service: string,
): ServiceTable {
  const routes = new Map<string, Route>()
  const feeds = new Map<string, Feed>()
  const stopping = new AbortController()
  let known = false
  let stale = false

  /** In order of ids, and kept so: sorting anew for each event costs most of all. */
  let sorted: Route[] = []
  let published = Number.NEGATIVE_INFINITY
  let timer: ReturnType<typeof setTimeout> | undefined

  const publish = (): void => {
    clearTimeout(timer)
    timer = undefined
    published = performance.now()
    for (const feed of feeds.values()) offer(feed, sorted)
  }
  const publishSoon = (): void => {
    if (timer !== undefined) return
    const spacing = routes.size / nodesPerMillisecond
    const wait = published + spacing - performance.now()
    if (spacing < shortestWait || wait <= 0) publish()
    else timer = unrefTimer(setTimeout(publish, wait))
  }
  const offer = (feed: Feed, sorted: readonly Route[]): void => {
    const matching = sorted.filter((route) => matches(route.node, feed.query))
    if (
      feed.current !== undefined &&
      feed.current.stale === stale &&
      sameRoutes(feed.current.routes, matching)
    )
      return
    feed.current = { routes: matching, stale }
    feed.waiting?.resolve(feed.current)
    feed.waiting = undefined
  }
  const apply = (event: RegistryEvent): void => {
    if (event.type === 'delete') {
      if (routes.delete(event.id)) sorted.splice(placeOf(sorted, event.id), 1)
    } else if (event.type === 'put') {
      const route = put(routes, event.node)
      const at = placeOf(sorted, event.node.id)
      sorted.splice(at, sorted[at]?.node.id === event.node.id ? 1 : 0, route)
    } else {
      const present = new Set(event.nodes.map((node) => node.id))
      for (const id of routes.keys()) if (!present.has(id)) routes.delete(id)
      for (const node of event.nodes) put(routes, node)
      sorted = [...routes.values()].sort((a, b) => (a.node.id < b.node.id ? -1 : 1))
    }
    const isFirst = !known
    known = true
    stale = false
    if (isFirst) publish()
    else publishSoon()
  }
  const fail = (error: unknown): void => {
    if (known) {
      stale = true
      publish()
      return
    }
    for (const feed of feeds.values()) {
      feed.waiting?.reject(
        new MicroError(
          'unavailable',
          `the registry "${registry.name}" did not tell the nodes of "${service}"`,
          {
            cause: error,
            processed: 'no',
          },
        ),
      )
      feed.waiting = undefined
    }
  }
  const follow = async (): Promise<void> => {
    const { signal } = stopping
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await using watcher = await registry.watch({ service, signal })
        // Closed while the watch began: an aborted signal tells no more listeners.
        if (signal.aborted) return
        const end = (): unknown => watcher[Symbol.asyncDispose]()
        signal.addEventListener('abort', end, { once: true })
        for await (const event of watcher) {
          attempt = 0
          apply(event)
        }
        signal.removeEventListener('abort', end)
        if (!signal.aborted) throw new MicroError('unavailable', 'the watch has ended')
      } catch (error) {
        if (signal.aborted) return
        fail(error)
        await sleep(backoff(attempt, retryWait) + 1, { signal }).catch(() => undefined)
      }
    }
  }

  let following: Promise<void> | undefined
  return {
    get stale() {
      return stale
    },
    view(query) {
      const key = JSON.stringify([
        query.version,
        Object.entries(query.labels ?? {}).sort(),
        query.transports,
      ])
      let feed = feeds.get(key)
      if (feed === undefined) {
        feed = createFeed(query, stopping.signal)
        feeds.set(key, feed)
        if (known) publish()
      }
      // Shared by all callers, so it must not end with the call that happened to be first.
      following ??= runInRoot(follow)
      return feed
    },
    async close() {
      stopping.abort()
      clearTimeout(timer)
      for (const feed of feeds.values()) {
        feed.waiting?.reject(closedError())
        feed.waiting = undefined
      }
      await following
    },
  }
}

function createFeed(query: RouteQuery, closed: AbortSignal): Feed {
  const feed: Feed = {
    query,
    current: undefined,
    view: undefined,
    waiting: undefined,
    next() {
      if (closed.aborted) return Promise.reject(closedError())
      if (feed.waiting === undefined) {
        feed.waiting = Promise.withResolvers()
        // Nobody may be waiting any more when it is rejected.
        feed.waiting.promise.catch(() => undefined)
      }
      return feed.waiting.promise
    },
  }
  return feed
}

function closedError(): MicroError {
  return new MicroError('failed_precondition', 'the router is closed', { processed: 'no' })
}

/** Keeps the route object, and with it what is known of its health, while the record is the same. */
function put(routes: Map<string, Route>, node: Node): Route {
  const known = routes.get(node.id)
  if (known !== undefined && JSON.stringify(known.node) === JSON.stringify(node)) return known
  const route: Route = { node, ejected: false }
  routes.set(node.id, route)
  return route
}

/** Where a node is, or would be. */
function placeOf(sorted: readonly Route[], id: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] as Route).node.id < id) low = middle + 1
    else high = middle
  }
  return low
}

function matches(node: Node, query: RouteQuery): boolean {
  if (query.version !== undefined && node.version !== query.version) return false
  for (const [name, value] of Object.entries(query.labels ?? {})) {
    if (node.labels[name] !== value) return false
  }
  const transports = query.transports ?? []
  return (
    transports.length === 0 ||
    node.endpoints.some((endpoint) => transports.includes(endpoint.transport))
  )
}

function sameRoutes(a: readonly Route[], b: readonly Route[]): boolean {
  return a.length === b.length && a.every((route, at) => route === b[at])
}
