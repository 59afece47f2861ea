import { routerConformance } from '@micro/conformance/router'
import { registryRouter } from '@micro/core/router'
import { routedRegistries } from './support/routed-registries.ts'

const { place, interrupt, registryOf } = routedRegistries()

routerConformance({
  name: 'registry, in memory',
  create: (scope) => registryRouter({ registry: registryOf(scope) }),
  place,
  interrupt,
})

routerConformance({
  name: 'registry, in memory, never away',
  create: (scope) => registryRouter({ registry: registryOf(scope) }),
  place,
})
