import { routerConformance } from '@micro/conformance/router'
import type { Node } from '@micro/core/registry'
import { registryRouter } from '@micro/core/router'
import { routedRegistries } from './support/routed-registries.ts'
import { staticRouter } from './support/static-router.ts'

// Routers that can do less than one over a registry: the suite proves what they do not claim absent.
const placed = new Map<string, readonly Node[]>()

routerConformance({
  name: 'static',
  create: (scope) => staticRouter(placed.get(scope) ?? []),
  place: (scope, nodes) => placed.set(scope, nodes),
  live: false,
})

routerConformance({
  name: 'static addresses',
  create: (scope) => staticRouter((placed.get(scope) ?? []).map(addressOf)),
  place: (scope, nodes) => placed.set(scope, nodes),
  live: false,
  tells: 'addresses',
})

const { place, interrupt, registryOf } = routedRegistries()

routerConformance({
  name: 'live addresses, as from DNS',
  create: (scope) => registryRouter({ registry: registryOf(scope) }),
  place: (scope, nodes) => place(scope, nodes.map(addressOf)),
  interrupt,
  tells: 'addresses',
})

/** What DNS would tell of a node. */
function addressOf({ schema, service, endpoints }: Node): Node {
  const id = endpoints[0]?.url.replaceAll(/[^a-z0-9]/g, '-') ?? 'none'
  return { schema, id, service, version: '', weight: 1, labels: {}, endpoints }
}
