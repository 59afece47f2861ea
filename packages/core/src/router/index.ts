export { type RegistryRouterOptions, registryRouter } from './registry-router.ts'
export type { Route, RouteQuery, Router, RouteView, Snapshot } from './router.ts'
