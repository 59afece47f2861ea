import type { Registry } from '@micro/core/registry'
import type { SuiteOptions } from '../kit/harness.ts'
import { lifecycleTrait } from '../kit/lifecycle.ts'
import { runSuite } from '../kit/run-suite.ts'
import type { Trait } from '../kit/trait.ts'
import { independence } from './independence.ts'
import { listing } from './listing.ts'
import { nodeOf } from './nodes.ts'
import { refusals } from './refusals.ts'
import { registering } from './registering.ts'
import { scopes } from './scopes.ts'
import { ttlTrait } from './ttl.ts'
import { watchers } from './watchers.ts'
import { watching } from './watching.ts'

export interface RegistrySuiteOptions extends SuiteOptions<Registry> {
  /**
   * Milliseconds that short-lived nodes get. Give more where the backend counts in greater units.
   * @default 1000
   */
  readonly ttl?: number
}

const defaultTtl = 1_000

const lifecycle: Trait<Registry> = lifecycleTrait([
  { name: 'register', call: (registry, options) => registry.register(nodeOf('a'), options) },
  { name: 'deregister', call: (registry, options) => registry.deregister(nodeOf('a'), options) },
  { name: 'list', call: (registry, options) => registry.list(options) },
  { name: 'watch', call: (registry, options) => registry.watch(options) },
])

/** What every `Registry` does, by trait, with the default ttl. */
export const registryTraits: readonly Trait<Registry>[] = traitsWith(defaultTtl)

/** Proves that a registry keeps the contract `registry/0`. Call it at the top of a test file. */
export function registryConformance(options: RegistrySuiteOptions): void {
  const traits = options.ttl === undefined ? registryTraits : traitsWith(options.ttl)
  runSuite('registry', traits, options)
}

function traitsWith(ttl: number): Trait<Registry>[] {
  return [
    registering,
    listing,
    ttlTrait(ttl),
    watching,
    watchers,
    scopes,
    refusals,
    independence,
    lifecycle,
  ]
}
