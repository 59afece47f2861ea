import type { ConfigSource } from '@micro/core/config'
import { lifecycleTrait } from '../kit/lifecycle.ts'
import { runSuite } from '../kit/run-suite.ts'
import type { Trait } from '../kit/trait.ts'
import { loading } from './loading.ts'
import type { ConfigSuiteOptions } from './options.ts'
import { watching } from './watching.ts'

export type { ConfigSuiteOptions } from './options.ts'

const lifecycle: Trait<ConfigSource> = lifecycleTrait([
  { name: 'load', call: (source, options) => source.load(options) },
])

/** What every `ConfigSource` does, by trait. */
export function configTraits(options: ConfigSuiteOptions): readonly Trait<ConfigSource>[] {
  return [loading(options), watching(options), lifecycle]
}

/** Proves that a config source keeps the contract `config/0`. Call it at the top of a test file. */
export function configConformance(options: ConfigSuiteOptions): void {
  runSuite('config source', configTraits(options), options)
}
