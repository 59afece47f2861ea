import type { Store } from '@micro/core/store'
import type { SuiteOptions } from '../kit/harness.ts'
import { lifecycleTrait } from '../kit/lifecycle.ts'
import { runSuite } from '../kit/run-suite.ts'
import type { Trait } from '../kit/trait.ts'
import { batches } from './batches.ts'
import { bytesOf } from './bytes.ts'
import { concurrency } from './concurrency.ts'
import { conditions } from './conditions.ts'
import { expiry } from './expiry.ts'
import { limits } from './limits.ts'
import { listing } from './listing.ts'
import { records } from './records.ts'
import { watching } from './watching.ts'

export type StoreSuiteOptions = SuiteOptions<Store>

const lifecycle: Trait<Store> = lifecycleTrait([
  { name: 'read', call: (store, options) => store.read('a', options) },
  { name: 'write', call: (store, options) => store.write('a', bytesOf('1'), options) },
  { name: 'delete', call: (store, options) => store.delete('a', options) },
  { name: 'list', call: (store, options) => Array.fromAsync(store.list(options)) },
])

/** What every `Store` does, by trait. */
export const storeTraits: readonly Trait<Store>[] = [
  records,
  conditions,
  expiry,
  listing,
  batches,
  watching,
  concurrency,
  limits,
  lifecycle,
]

/** Proves that a store keeps the contract `store/0`. Call it at the top of a test file. */
export function storeConformance(options: StoreSuiteOptions): void {
  runSuite('store', storeTraits, options)
}
