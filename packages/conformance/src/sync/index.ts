import type { Sync } from '@micro/core/sync'
import { lifecycleTrait } from '../kit/lifecycle.ts'
import { runSuite } from '../kit/run-suite.ts'
import type { Trait } from '../kit/trait.ts'
import { elections } from './elections.ts'
import { exclusion } from './exclusion.ts'
import { leases } from './leases.ts'
import type { SyncSuiteOptions } from './options.ts'
import { waiting } from './waiting.ts'

export type { SyncSuiteOptions } from './options.ts'
export { type ProcessExclusionOptions, proveProcessExclusion } from './processes.ts'

const lifecycle: Trait<Sync> = lifecycleTrait([
  {
    name: 'lock',
    call: async (sync, options) => {
      const lock = await sync.lock('a', options)
      await lock.release()
    },
  },
  {
    name: 'campaign',
    call: async (sync, options) => {
      const leadership = await sync.leader('a').campaign(options)
      await leadership.resign()
    },
  },
  {
    name: 'observe',
    call: async (sync, options) => {
      const watcher = await sync.leader('a').observe(options)
      await watcher[Symbol.asyncDispose]()
    },
  },
])

/** What every `Sync` does, by trait. `ttl` is in milliseconds: the shortest that the backend keeps well. */
export function syncTraits(ttl = 1_000): readonly Trait<Sync>[] {
  return [exclusion(ttl), waiting(ttl), leases(ttl), elections(ttl), lifecycle]
}

/** Proves that a sync keeps the contract `sync/0`. Call it at the top of a test file. */
export function syncConformance(options: SyncSuiteOptions): void {
  runSuite('sync', syncTraits(options.ttl), options)
}
