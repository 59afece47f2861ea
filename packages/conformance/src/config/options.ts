import type { ConfigSource, ConfigValues } from '@micro/core/config'
import type { SuiteOptions } from '../kit/harness.ts'

export interface ConfigSuiteOptions extends SuiteOptions<ConfigSource> {
  /** Makes the sources of `scope` say `values` from now on: writes the file, puts the keys. */
  readonly write: (scope: string, values: ConfigValues) => Promise<void> | void
  /** Whether values are strings whatever was written, as in an environment. @default false */
  readonly stringsOnly?: boolean
}
