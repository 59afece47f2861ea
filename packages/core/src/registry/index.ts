export { memoryRegistry } from './memory-registry.ts'
export { parseNode, validateNode } from './node.ts'
export { createRegistrar, type Registrar, type RegistrarOptions } from './registrar.ts'
export type {
  Endpoint,
  ListOptions,
  MethodInfo,
  Node,
  RegisterOptions,
  Registry,
  RegistryEvent,
  RegistryWatcher,
} from './registry.ts'
export { createRegistryFeed, type RegistryFeed } from './registry-feed.ts'
